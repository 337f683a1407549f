//! Redirections: recorded in the outcome, nothing is sent.

use super::{Cx, Entry, Stop, bad};
use crate::vm::Redirect;

pub(super) const HELPERS: &[Entry] = &[
    ("redirect", redirect),
    ("redirect_peer", redirect),
    ("redirect_neigh", |cx, [index, _, _, flags, _]| redirect(cx, [index, flags, 0, 0, 0])),
    ("clone_redirect", clone_redirect),
    ("redirect_map", redirect_map),
];

/// `BPF_F_INGRESS`, the only flag of the plain forms.
const INGRESS: u64 = 1;
/// `XDP_REDIRECT`.
const XDP_REDIRECT: u64 = 4;

fn redirect(cx: &mut Cx<'_>, [index, flags, ..]: [u64; 5]) -> Result<u64, Stop> {
    let actions = cx.env.redirect_actions;
    let allowed = if actions.flags { INGRESS } else { 0 };
    if flags & !allowed != 0 {
        return Ok(actions.refused);
    }
    cx.env.output.redirect = Some(Redirect { map: None, index: u64::from(index as u32), flags });
    Ok(actions.redirect)
}

fn clone_redirect(cx: &mut Cx<'_>, [_, index, flags, ..]: [u64; 5]) -> Result<u64, Stop> {
    if flags & !INGRESS != 0 {
        return Ok(crate::maps::Errno::EINVAL.code());
    }
    cx.env.output.redirect = Some(Redirect { map: None, index: u64::from(index as u32), flags });
    Ok(0)
}

/// The low bits of the flags are the verdict if the map has no such entry.
fn redirect_map(cx: &mut Cx<'_>, [map, key, flags, ..]: [u64; 5]) -> Result<u64, Stop> {
    const NAME: &str = "redirect_map";
    let (entry, _) = cx.map(map, NAME, 1)?;
    if entry.def.key_size != 4 {
        return Err(bad(NAME, 1, "is not a map of devices"));
    }
    let name = entry.def.name.clone();
    if entry.handle(&(key as u32).to_le_bytes()).is_none() {
        return Ok(flags & 3);
    }
    cx.env.output.redirect = Some(Redirect { map: Some(name), index: u64::from(key as u32), flags });
    Ok(XDP_REDIRECT)
}
