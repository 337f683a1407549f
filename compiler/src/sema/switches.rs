//! Switches over enumerations: values that no case handles, and cases that no value has.
//!
//! In: a switch whose value has an enumeration's type, and its labels. Out: findings where and as clang has
//! them: at most three of the values are named.

use skep_syntax::ast::{AttrArg, AttrId, EnumeratorId, ExprKind, List};
use skep_syntax::diag::codes;

use crate::hir::Expr;
use crate::types::{EnumId, Type};

use super::Sema;
use super::attrs::AttrKind;
use super::body::Switch;
use super::consteval::{extend, truncate};

/// What the attributes of an enumeration say about its values.
#[derive(Default)]
pub struct EnumValues {
    /// EnumValues are put together from these bits.
    flags: bool,
    /// There are values without a name.
    open: bool,
    /// By their places: these need no case.
    optional: Vec<usize>,
}

impl Sema<'_, '_> {
    /// What the attributes of an enumeration and its constants say.
    pub(super) fn enum_values(
        &mut self,
        attrs: List<AttrId>,
        constants: impl Iterator<Item = EnumeratorId>,
    ) -> EnumValues {
        let mut values = EnumValues {
            flags: self.has_attr(attrs, AttrKind::FlagEnum),
            open: self.is_open(attrs),
            optional: Vec::new(),
        };
        for (at, constant) in constants.enumerate() {
            let attrs = self.ast.enumerator(constant).attrs;
            if self.has_attr(attrs, AttrKind::Unused) || self.has_attr(attrs, AttrKind::Outdated) {
                values.optional.push(at);
            }
        }
        values
    }

    /// `enum_extensibility(open)`
    fn is_open(&mut self, attrs: List<AttrId>) -> bool {
        let found = self
            .ast
            .list(attrs)
            .find(|&id| self.attr_kind(self.ast.attr(id).name) == Some(AttrKind::EnumExtensibility));
        let arg = found.and_then(|id| self.ast.list(self.ast.attr(id).args).next());
        match arg.map(|arg| self.ast.attr_arg(arg)) {
            Some(AttrArg::Expr(expr)) => {
                matches!(self.ast.expr(expr), ExprKind::Name(name) if self.name(name) == "open")
            }
            Some(AttrArg::Type(_)) | None => false,
        }
    }

    /// At the end of a switch: what its labels leave out of an enumeration, and what they add to it.
    pub(super) fn check_enumeration(&mut self, value: &Expr, switch: &Switch) {
        let Type::Enum(id) = *self.types.shape(value.ty) else { return };
        if self.types.enums[id.0 as usize].enumerators.is_empty() || self.const_int(value).is_some() {
            return;
        }
        self.check_foreign_cases(id, switch);
        let missing = self.unhandled(id, switch);
        if missing.is_empty() {
            return;
        }
        let names: Vec<String> = missing.iter().take(3).map(|name| format!("`{name}`")).collect();
        let explicitly = if switch.default.is_some() { "explicitly " } else { "" };
        let message = match (missing.len(), names.as_slice()) {
            (1, [name]) => format!("enumeration value {name} not {explicitly}handled in switch"),
            (2, [a, b]) => format!("enumeration values {a} and {b} not {explicitly}handled in switch"),
            (3, [a, b, c]) => {
                format!("enumeration values {a}, {b}, and {c} not {explicitly}handled in switch")
            }
            (n, names) => {
                format!("{n} enumeration values not {explicitly}handled in switch: {}...", names.join(", "))
            }
        };
        let code = if switch.default.is_some() { &codes::SWITCH_ENUM } else { &codes::SWITCH_MISSING };
        self.warn(code, value.span, message);
    }

    /// The names of the values that no label has, in the order of the values.
    fn unhandled(&self, id: EnumId, switch: &Switch) -> Vec<String> {
        let optional = &self.enum_values[id.0 as usize].optional;
        let constants = self.types.enums[id.0 as usize].enumerators.iter().enumerate();
        let mut values: Vec<_> = constants
            .map(|(at, &(name, value))| (extend(truncate(value as u128, switch.kind), switch.kind), at, name))
            .collect();
        values.sort_by_key(|&(value, at, _)| (value, at));
        // Of names for one value the first speaks for all.
        values.dedup_by_key(|&mut (value, _, _)| value);
        let mut cases: Vec<_> = switch.cases.iter().map(|&(low, high, _)| (low, high)).collect();
        cases.sort_unstable();
        let handled = |value: i128| {
            let before = cases.partition_point(|&(low, _)| low <= value);
            before.checked_sub(1).is_some_and(|at| cases[at].1 >= value)
        };
        let missing =
            values.iter().filter(|(value, at, _)| !handled(*value) && optional.binary_search(at).is_err());
        missing.map(|&(_, _, name)| self.name(name).to_owned()).collect()
    }

    /// Labels that are no value of the enumeration.
    fn check_foreign_cases(&mut self, id: EnumId, switch: &Switch) {
        let EnumValues { flags, open, .. } = self.enum_values[id.0 as usize];
        if open {
            return;
        }
        let known = self.types.enums[id.0 as usize].enumerators.iter();
        let mut known: Vec<i128> =
            known.map(|&(_, value)| extend(truncate(value as u128, switch.kind), switch.kind)).collect();
        known.sort_unstable();
        let bits = known.iter().fold(0, |bits, value| bits | value);
        let is_foreign =
            |value: &i128| if flags { value & !bits != 0 } else { known.binary_search(value).is_err() };
        let foreign: Vec<_> = switch
            .cases
            .iter()
            .flat_map(|&(low, high, span)| [Some((low, span)), (low != high).then_some((high, span))])
            .flatten()
            .filter(|(value, _)| is_foreign(value))
            .collect();
        for (value, span) in foreign {
            let ty = self.types.intern(Type::Enum(id));
            let message = format!("the case {value} is no value of {}", self.shown(ty));
            self.warn(&codes::SWITCH_FOREIGN, span, message);
        }
    }
}
