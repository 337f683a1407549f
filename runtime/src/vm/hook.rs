//! What programs of some types are given besides a context, and what their helpers change of it.
//!
//! It lives as long as a run. Most of it is set by helpers; what the input may set comes as fields that
//! the context itself does not have: `name`, `value` and `new_value` of a sysctl, `remaining_opt_len` of
//! a TCP header that is being written.

use alloc::format;
use alloc::vec::Vec;

use skep_stdlib::programs::ProgType;

use super::{RunError, Value};

/// Most bytes of options in a TCP header.
const MAX_OPTIONS: u64 = 40;

/// The rest of a run's surroundings.
pub struct Hook {
    /// The kernel parameter that is read or written.
    pub sysctl: Sysctl,
    /// Bytes that are left for options in the TCP header.
    pub option_room: u64,
    /// The tunnel that the packet shall take.
    pub tunnel: Option<Tunnel>,
    /// The message, once its pieces matter.
    pub message: Option<Message>,
}

impl Default for Hook {
    fn default() -> Hook {
        Hook { sysctl: Sysctl::default(), option_room: MAX_OPTIONS, tunnel: None, message: None }
    }
}

/// A kernel parameter.
#[derive(Default)]
pub struct Sysctl {
    /// Its path, as under `/proc/sys`.
    pub name: Vec<u8>,
    /// What it is now.
    pub value: Vec<u8>,
    /// What it is set to, if it is written.
    pub new_value: Vec<u8>,
}

/// What `bpf_skb_set_tunnel_key` was given.
pub struct Tunnel {
    /// `struct bpf_tunnel_key`, as the reader will see it.
    pub key: Vec<u8>,
    /// Is it for IPv6?
    pub is_v6: bool,
    /// The flags of the tunnel, in network order.
    pub flags: u16,
    /// Options for the tunnel's header.
    pub options: Vec<u8>,
}

/// A message of a socket, which helpers cut into pieces: a program sees one of them at a time.
pub struct Message {
    /// VM address of its first byte.
    pub start: u64,
    /// Lengths of its pieces, none of them empty.
    pub pieces: Vec<u64>,
}

impl Message {
    /// Bytes of all pieces.
    pub fn len(&self) -> u64 {
        self.pieces.iter().sum()
    }
}

impl Hook {
    /// Takes a field of the input that is none of the context; says whether it is one.
    pub fn take(&mut self, ty: ProgType, field: &str, value: &Value) -> Result<bool, RunError> {
        match (ty, field, value) {
            (ProgType::SockOps, "remaining_opt_len", Value::Int(room)) => self.option_room = *room,
            (ProgType::CgroupSysctl, "name" | "value" | "new_value", _) => {
                let bytes = match value {
                    Value::Str(text) => text.as_bytes().to_vec(),
                    Value::Bytes(bytes) => bytes.clone(),
                    Value::Int(number) => format!("{number}").into_bytes(),
                    Value::Struct { .. } => return Err(RunError::new(format!("field `{field}` is a text"))),
                };
                match field {
                    "name" => self.sysctl.name = bytes,
                    "value" => self.sysctl.value = bytes,
                    _ => self.sysctl.new_value = bytes,
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
