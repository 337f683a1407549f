//! Generates the parser from `src/grammar.lalrpop`.
fn main() {
    if std::path::Path::new("src/grammar.lalrpop").exists() {
        lalrpop::process_src().expect("the grammar has no conflicts");
    }
}
