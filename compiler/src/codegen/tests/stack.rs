//! What variables take of the frame.

use skep_stdlib::isa::Cpu;

use super::{agree, compile, limits, module};

/// A function that fills and reads `count` buffers of 120 bytes one after another.
fn buffers(count: usize, helper: bool) -> String {
    let mut text = String::from("function @f(i64) -> i64 {\n");
    for i in 0..count {
        text += &format!("  s{i} = slot 120 align 1 \"b{i}\"\n");
    }
    text += "block0(v0: i64):\n";
    let mut v = 1;
    let mut sum = 0;
    for i in 0..count {
        text += &format!("  v{v} = slot_addr s{i}\n  store.i64 v0, v{v}+8 align 8\n");
        if helper {
            text += &format!("  v{} = iconst.i64 16\n  v{} = ptr_add v{v}, v{}\n", v + 1, v + 2, v + 1);
            text += &format!("  store.i64 v{sum}, v{} align 8\n", v + 2);
            text += &format!("  v{} = call helper 1(v{}) -> i64\n", v + 3, v + 1);
            v += 3;
        }
        let base = if helper { v - 3 } else { v };
        text +=
            &format!("  v{} = load.i64 v{base}+8 align 8\n  v{} = add v{sum}, v{}\n", v + 1, v + 2, v + 1);
        sum = v + 2;
        v += 3;
    }
    text + &format!("  return v{sum}\n}}\n")
}

#[test]
fn variables_that_are_not_in_use_together_share_the_frame() {
    for helper in [false, true] {
        let module = module(&buffers(3, helper));
        for cpu in Cpu::ALL {
            let stack = compile(&module, cpu).functions[0].stack;
            assert!((120..=136).contains(&stack), "{stack}");
        }
        agree(&module, &[vec![5], vec![77]]);
    }
}

#[test]
fn a_function_that_stores_no_address_keeps_no_variable_in_use() {
    let text = |callee: &str| {
        let mut text = String::from("func @g(ptr, ptr) -> i32 local noinline\nfunction @f(i64) -> i64 {\n");
        text += "  s0 = slot 8 align 8 \"common\"\n";
        for i in 1..4 {
            text += &format!("  s{i} = slot 120 align 8 \"b{i}\"\n");
        }
        text += "block0(v0: i64):\n  v1 = slot_addr s0\n  store.i64 v0, v1 align 8\n";
        for i in 1..4 {
            let v = 3 * i;
            text += &format!("  v{v} = slot_addr s{i}\n  store.i64 v0, v{v} align 8\n");
            text +=
                &format!("  v{} = call @g(v1, v{v}) -> i32\n  v{} = load.i64 v{v} align 8\n", v + 1, v + 2);
        }
        text += "  return v11\n}\nfunction @g(ptr, ptr) -> i32 {\nblock0(v0: ptr, v1: ptr):\n";
        text + callee + "  v9 = iconst.i32 0\n  return v9\n}\n"
    };
    let stack = |callee: &str| compile(&module(&text(callee)), Cpu::V3).functions[0].stack;
    let adds = "  v2 = load.i64 v0 align 8\n  v3 = load.i64 v1 align 8\n  v4 = trunc.i32 v3\n  \
                v5 = zext.i64 v4\n  v6 = add v2, v5\n  store.i64 v6, v0 align 8\n";
    assert!(stack(adds) <= 136);
    // What it stores may be an address: all that it was given is reached from the first.
    assert!(stack("  store.ptr v1, v0 align 8\n") >= 368);
}

/// A function that writes so many variables of 120 bytes, then reads all.
fn read_at_the_end(count: usize) -> String {
    let mut text = String::from("function @f(i64) -> i64 {\n");
    for i in 0..count {
        text += &format!("  s{i} = slot 120 align 1 \"b{i}\"\n");
    }
    text += "block0(v0: i64):\n";
    for i in 0..count {
        text += &format!("  v{} = slot_addr s{i}\n  store.i64 v0, v{} align 8\n", i + 1, i + 1);
    }
    let mut sum = 0;
    for i in 0..count {
        let read = count + 1 + 2 * i;
        text += &format!("  v{read} = load.i64 v{} align 8\n  v{} = add v{sum}, v{read}\n", i + 1, read + 1);
        sum = read + 1;
    }
    text + &format!("  return v{sum}\n}}\n")
}

#[test]
fn too_much_stack_is_a_limit_that_names_the_variables() {
    for (count, needed) in [(5, "600"), (5000, "at least 4096")] {
        let limits = limits(&read_at_the_end(count), Cpu::V3);
        let stack: Vec<_> = limits.iter().filter(|limit| limit.message.contains("stack")).collect();
        assert_eq!(stack.len(), 1);
        let wanted = format!("`f` needs {needed} bytes of stack, the kernel allows 512");
        assert_eq!(stack[0].message, wanted);
        assert_eq!(stack[0].notes.len(), 5);
    }
}
