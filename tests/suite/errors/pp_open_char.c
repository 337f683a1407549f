// A character constant that does not end on its line.
int c =
	'a // ERROR[E0002]: character constant without its closing quote
	;
