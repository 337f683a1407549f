//! How the running kernel was configured: what programs with variables in `.kconfig` are given, as libbpf
//! finds it.

use std::collections::BTreeMap;

use crate::gunzip::gunzip;
use crate::io::Io;
use crate::target::RELEASE;

/// Where kernels have it that were built with it inside.
const INSIDE: &str = "/proc/config.gz";

/// The running kernel's options by name; none if it does not tell.
pub fn of_host(io: &mut Io<'_>) -> BTreeMap<String, String> {
    // The configuration, beside the kernel, has a name that ends with the release.
    let release = io.read(RELEASE).unwrap_or_default();
    let beside = format!("/boot/config-{}", String::from_utf8_lossy(&release).trim());
    let bytes = io.read(&beside).or_else(|_| io.read(INSIDE)).unwrap_or_default();
    options(&String::from_utf8_lossy(&gunzip(&bytes).unwrap_or(bytes)))
}

fn options(text: &str) -> BTreeMap<String, String> {
    let set = text.lines().filter(|line| line.starts_with("CONFIG_")).filter_map(|line| line.split_once('='));
    set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::options;

    #[test]
    fn what_is_not_set_is_not_there() {
        let found = options("# CONFIG_A is not set\nCONFIG_HZ=250\nCONFIG_B=\"a=b\"\n");
        assert_eq!(found.len(), 2);
        assert_eq!((found["CONFIG_HZ"].as_str(), found["CONFIG_B"].as_str()), ("250", "\"a=b\""));
    }
}
