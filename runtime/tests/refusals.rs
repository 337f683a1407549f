//! What cannot be loaded is refused in words that name it.

mod common;

use common::clang;
use skep_runtime::host::Deterministic;
use skep_runtime::object::LinkOptions;
use skep_runtime::{Object, Verified, Vm};
use skep_stdlib::ByteOrder;

const HEADERS: &str = "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n#include <stdbool.h>\n";
const PROGRAM: &str = "SEC(\"xdp\") int prog(struct xdp_md *ctx)";

/// The error of linking `source`; none without clang.
fn refusal(name: &str, source: &str, flags: &[&str]) -> Option<String> {
    let bytes = clang(name, &format!("{HEADERS}{source}"), flags)?;
    let result = Object::parse(&bytes).and_then(|object| object.link(&LinkOptions::default()));
    Some(result.expect_err("a refusal").to_string())
}

/// A map with this body, used by a program.
fn with_map(body: &str) -> String {
    format!(
        "struct {{ {body} }} m SEC(\".maps\"); {PROGRAM} {{ int k = 0; return bpf_map_lookup_elem(&m, &k) != 0; }}"
    )
}

#[test]
fn maps() {
    let typed = "__uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int);";
    let cases = [
        ("without type", with_map("__uint(max_entries, 1);"), "map `m`: has no `type`"),
        ("bad type", with_map("__uint(type, 99);"), "map `m`: no map type has number 99"),
        (
            "attribute",
            with_map("__uint(type, 2); __uint(colour, 1);"),
            "map `m`: has an unknown attribute `colour`",
        ),
        (
            "sizes",
            with_map(&format!("{typed} __uint(key_size, 8); __type(value, int);")),
            "map `m`: says both 4 and 8 bytes for its key",
        ),
        (
            "number",
            with_map(&format!("{typed} __type(value, int); int *pinning;")),
            "map `m`: attribute `pinning` is not a number: use `__uint`",
        ),
    ];
    for (name, source, expected) in cases {
        let Some(error) = refusal("map", &source, &[]) else { return };
        assert_eq!(error, expected, "{name}");
    }
    let legacy =
        format!("struct bpf_map_def {{ int type; }} m SEC(\"maps\") = {{ 1 }}; {PROGRAM} {{ return 0; }}");
    let error = refusal("legacy", &legacy, &[]).unwrap();
    assert!(error.contains("legacy map definitions"), "{error}");
    let source = with_map(&format!("{typed} __type(value, int);"));
    let error = refusal("nobtf", &source, &["-g0"]).unwrap();
    assert_eq!(error, "section `.maps`+0x0: maps need BTF, and the object has none (compile with `-g`)");
}

#[test]
fn symbols() {
    let cases = [
        (
            format!("extern int missing(void); {PROGRAM} {{ return missing(); }}"),
            "function `prog` insn 0: refers to `missing`, which is not defined",
        ),
        (
            format!("extern bool CONFIG_X __kconfig; {PROGRAM} {{ return CONFIG_X; }}"),
            "extern `CONFIG_X`: no value is given for this configuration option",
        ),
        (
            "SEC(\"nonsense/x\") int prog(void *ctx) { return 0; }".to_owned(),
            "section `nonsense/x`+0x0: no program type has sections of this name",
        ),
        (
            "SEC(\"xdp\") static int prog(void *ctx) { return 0; } void *keep SEC(\"other\") = prog;"
                .to_owned(),
            "function `prog` insn 0: a static function cannot be an entry program",
        ),
    ];
    for (source, expected) in cases {
        let Some(error) = refusal("symbol", &source, &[]) else { return };
        assert_eq!(error, expected);
    }
}

#[test]
fn weak_symbols_may_be_missing() {
    let source = format!(
        "extern int absent(void) __ksym __weak; extern const int gone __ksym __weak;\n\
         {PROGRAM} {{ return absent ? absent() : &gone ? 1 : 2; }}"
    );
    let Some(bytes) = clang("weak", &format!("{HEADERS}{source}"), &[]) else { return };
    use skep_runtime::vm::Input;
    let mut vm = common::vm(common::link(&bytes));
    assert_eq!(vm.run(0, &Input::default()).unwrap().result, Ok(2));
    let strong = format!("{HEADERS}extern int absent(void) __ksym; {PROGRAM} {{ return absent(); }}");
    let options = LinkOptions { target_btf: common::vmlinux(), ..LinkOptions::default() };
    if let (Some(bytes), Some(_)) = (clang("strong", &strong, &[]), &options.target_btf) {
        let error = Object::parse(&bytes).unwrap().link(&options).unwrap_err();
        assert_eq!(error.to_string(), "extern `absent`: the target kernel has no such symbol");
    }
}

#[test]
fn big_endian_objects_are_linked_but_not_run() {
    let source = format!(
        "{HEADERS}int value = 0x01020304; {}",
        with_map("__uint(type, 2); __uint(max_entries, 3); __type(key, int); __type(value, long);")
            .replace("return", "return value +")
    );
    let Some(bytes) = clang("eb", &source, &["-target", "bpfeb"]) else { return };
    let image = Object::parse(&bytes).unwrap().link(&LinkOptions::default()).unwrap();
    assert_eq!(image.order, ByteOrder::Big);
    assert_eq!((image.maps[0].max_entries, image.maps[0].value_size), (3, 8));
    assert_eq!(image.maps[1].contents, [1, 2, 3, 4]);
    assert!(image.programs[0].lines.iter().any(|line| line.text.contains("bpf_map_lookup_elem")));
    let error = Vm::new(Verified::unchecked(image), Box::new(Deterministic::default())).err().unwrap();
    assert!(error.to_string().contains("big-endian programs cannot be run"), "{error}");
}
