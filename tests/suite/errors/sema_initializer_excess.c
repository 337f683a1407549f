// More initialisers than elements.
int pair[2] = { 1, 2, 3 }; // WARNING[W0207]: more initialisers than elements
