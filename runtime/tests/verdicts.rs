//! The verifier's verdicts on the seed programs, as clang compiles them.

mod common;

use skep_runtime::verify::{Cause, Options, verdicts};

#[test]
fn the_seeds_are_safe_but_for_the_unchecked_one() {
    for name in common::tools::SEEDS {
        let Some(bytes) = common::seed(&format!("{name}.bpf.c")) else { return };
        let image = common::link(&bytes);
        for verdict in verdicts(&image, &Options { btf: common::vmlinux(), ..Options::default() }) {
            let place = format!("{name}: {}", verdict.program);
            match (name, verdict.report) {
                ("drop_icmp_unchecked", Some(report)) => {
                    let Cause::PacketBounds { access, proven } = &report.cause else {
                        panic!("{place}: {report:?}");
                    };
                    assert_eq!((access.min, access.size, *proven), (13, 1, 0), "{place}");
                    let words = report.cause.kernel_log();
                    assert_eq!(words[0], "invalid access to packet, off=13 size=1, R2(id=0,off=13,r=0)");
                    assert_eq!(words[1], "R2 offset is outside of the packet");
                }
                ("drop_icmp_unchecked", None) => panic!("{place} is accepted"),
                (_, report) => assert_eq!(report, None, "{place}"),
            }
        }
    }
}
