//! Call stacks: there are none here, which is an answer that every program must expect.

use super::Entry;
use crate::maps::Errno;

pub(super) const HELPERS: &[Entry] = &[
    ("get_stackid", |_, _| Ok(Errno::EFAULT.code())),
    ("get_stack", |_, _| Ok(Errno::EFAULT.code())),
    ("get_task_stack", |_, _| Ok(Errno::EFAULT.code())),
];
