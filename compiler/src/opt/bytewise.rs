//! bytewise: copies and fills of a size that only the running program knows become loops over bytes.
//!
//! ```text
//! block0:                               block0:              jump block1(0)
//!   memcpy(v1, v2, v3, 1)               block1(v4: i64):     br (icmp ult v4, v3), block2, block3
//!   ..                             ->   block2:              store.i8 (load.i8 v2+v4), v1+v4
//!                                                            jump block1(v4 + 1)
//!                                       block3:              ..
//! ```
//!
//! Runs when what is not a constant will not become one. A move may overlap, and which end comes first
//! cannot be asked of two pointers: it stays, and is reported.
//! Preserves: every byte.
//! The kernel's verifier still accepts: it walks the loop round by round, in each of which the distance
//! is a number it knows, and ends where the bound that it knows of the size does. A size without a bound
//! is refused where it goes beyond the memory.
//! Cost: linear in the instructions.

use super::Cx;
use crate::ir::{
    BinaryOp, Block, BlockCall, Compare, ConvertOp, Function, InstData, Intrinsic, MemFlags, SrcLoc, Type,
    Value,
};

/// Runs the pass.
pub fn run(f: &mut Function, _: &Cx<'_>) -> bool {
    let mut changed = false;
    let mut work = f.order.clone();
    while let Some(block) = work.pop() {
        let found = f.blocks[block].insts.iter().enumerate().find_map(|(at, &inst)| match &f.insts[inst] {
            InstData::Intrinsic { op: op @ (Intrinsic::Memcpy | Intrinsic::Memset), args, .. }
                if f.constant(args[2]).is_none() =>
            {
                Some((at, inst, *op, [args[0], args[1], args[2]]))
            }
            _ => None,
        });
        if let Some((at, inst, op, args)) = found {
            let rest = f.blocks[block].insts.split_off(at + 1);
            f.blocks[block].insts.truncate(at);
            let after = expand(f, block, f.locs[inst], op, args);
            f.blocks[after].insts = rest;
            work.push(after);
            changed = true;
        }
    }
    changed
}

/// Ends a block with a loop; yields the block behind it, which is empty.
fn expand(f: &mut Function, block: Block, loc: SrcLoc, op: Intrinsic, args: [Value; 3]) -> Block {
    let [to, from, size] = args;
    let [header, body, after] = [f.add_block(), f.add_block(), f.add_block()];
    // They stand where the loop is.
    f.order.truncate(f.order.len() - 3);
    let place = f.order.iter().position(|&b| b == block).map_or(f.order.len(), |at| at + 1);
    f.order.splice(place..place, [header, body, after]);
    let at = f.add_param(header, Type::I64);
    let jump = |block, arg: Value| InstData::Jump { target: BlockCall { block, args: [arg].into() } };
    let zero = f.append_value(block, InstData::Const { ty: Type::I64, value: 0 }, loc);
    f.append(block, jump(header, zero), loc);

    let more = f.append_value(header, InstData::Compare { op: Compare::Ult, args: [at, size] }, loc);
    let [then, els] = [body, after].map(BlockCall::to);
    f.append(header, InstData::Branch { cond: more, then, els }, loc);

    let flags = MemFlags { volatile: false, align: 1 };
    let value = if op == Intrinsic::Memset {
        f.append_value(body, InstData::Convert { op: ConvertOp::Trunc, ty: Type::I8, arg: from }, loc)
    } else {
        let base = f.append_value(body, InstData::PtrAdd { base: from, offset: at }, loc);
        f.append_value(body, InstData::Load { ty: Type::I8, base, offset: 0, flags }, loc)
    };
    let base = f.append_value(body, InstData::PtrAdd { base: to, offset: at }, loc);
    f.append(body, InstData::Store { value, base, offset: 0, flags }, loc);
    let one = f.append_value(body, InstData::Const { ty: Type::I64, value: 1 }, loc);
    let next = f.append_value(body, InstData::Binary { op: BinaryOp::Add, args: [at, one] }, loc);
    f.append(body, jump(header, next), loc);
    after
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    fn text(call: &str) -> String {
        format!(
            "function @f(i64) -> i64 {{\n  s0 = slot 16 align 8\n  s1 = slot 16 align 8\nblock0(v0: i64):\n  \
             v1 = slot_addr s0\n  v2 = slot_addr s1\n  v3 = iconst.i64 15\n  v4 = and v0, v3\n  \
             v5 = iconst.i32 7\n  v6 = iconst.i64 1\n  v7 = iconst.i64 16\n  memset(v1, v5, v7, v6)\n  \
             {call}\n  v8 = load.i64 v2 align 8\n  return v8\n}}"
        )
    }

    #[test]
    fn copies_and_fills_become_loops() {
        for call in ["memcpy(v2, v1, v4, v6)", "memset(v2, v5, v4, v6)"] {
            let out = after_pass("bytewise", &text(call));
            assert_eq!(out.matches("mem").count(), 1, "{out}");
            assert!(out.contains("store.i8"), "{out}");
        }
    }

    #[test]
    fn moves_and_constant_sizes_stay() {
        let out = after_pass("bytewise", &text("memmove(v2, v1, v4, v6)"));
        assert!(out.contains("memmove") && out.contains("memset"), "{out}");
    }
}
