//! The pages that explain the codes of diagnostics: files of the book, which are also in the binary.
//!
//! Each has the title of its code, what it means and what to do, a program that is wrong and one that
//! is right. The tests build both: the wrong one must meet exactly this code, the right one none.

use skep_runtime::verify::RULES;
use skep_syntax::codes;

/// What explains one code.
pub struct Page {
    /// The code, `V0101`.
    pub code: &'static str,
    /// Markdown.
    pub text: &'static str,
}

macro_rules! pages {
    ($($code:literal)*) => {
        /// Every page, by code.
        pub static PAGES: &[Page] = &[$(Page {
            code: $code,
            text: include_str!(concat!("../../../book/src/explain/", $code, ".md")),
        }),*];
    };
}

pages! {
    "E0001" "E0002" "E0003" "E0004" "E0005" "E0010" "E0011" "E0012" "E0013" "E0014" "E0015" "E0016" "E0017"
    "E0020" "E0021" "E0022" "E0023" "E0024" "E0025" "E0030" "E0031" "E0032" "E0033" "E0034" "E0035" "E0040"
    "E0041" "E0042" "E0043"
    "E0100" "E0101" "E0102" "E0103" "E0104" "E0105" "E0106" "E0107" "E0108" "E0109" "E0110" "E0111" "E0112"
    "E0113"
    "E0200" "E0201" "E0202" "E0203" "E0204" "E0205" "E0206" "E0207" "E0208" "E0209" "E0210" "E0211" "E0212"
    "E0213" "E0214" "E0215" "E0216" "E0217" "E0218" "E0219" "E0220" "E0221" "E0222" "E0223" "E0224" "E0225"
    "E0227" "E0228" "E0229" "E0230" "E0231" "E0232" "E0233" "E0234" "E0235"
    "E0400"
    "V0101" "V0102" "V0103" "V0104" "V0105" "V0106" "V0107" "V0108" "V0109" "V0110" "V0111" "V0112" "V0113"
    "V0114" "V0115" "V0116" "V0117" "V0118" "V0119"
    "V0201" "V0202" "V0203" "V0204" "V0205" "V0206" "V0207" "V0208" "V0209"
    "V0301" "V0302" "V0303" "V0304" "V0305" "V0306" "V0307" "V0308" "V0309" "V0310" "V0311" "V0312" "V0313"
    "V0314" "V0315" "V0316" "V0317" "V0318" "V0319" "V0320" "V0321" "V0322" "V0323" "V0324"
    "V0325" "V0326" "V0327"
    "V0401" "V0402" "V0403" "V0404" "V0405"
    "V0501" "V0502" "V0503" "V0504" "V0505" "V0506" "V0507"
    "V0601" "V0602" "V0603"
    "V0901"
    "W0001" "W0002" "W0003" "W0004" "W0005" "W0006" "W0007" "W0009" "W0010" "W0011" "W0012"
    "W0100"
    "W0200" "W0201" "W0202" "W0203" "W0204" "W0205" "W0206" "W0207" "W0208" "W0209" "W0210" "W0211" "W0212"
    "W0213" "W0214" "W0215" "W0216" "W0217" "W0218" "W0219" "W0220" "W0221" "W0222" "W0223" "W0224" "W0225"
    "W0226" "W0227" "W0228" "W0229" "W0230" "W0231" "W0232" "W0233" "W0234" "W0235" "W0236" "W0237" "W0238"
    "W0239" "W0240" "W0241" "W0242" "W0243" "W0244" "W0245" "W0246" "W0247" "W0248" "W0249" "W0250" "W0251"
}

/// A program of a page.
pub struct Example {
    /// Its text.
    pub source: String,
    /// What it must be verified for, `kernel=5.15`; empty for the newest kernel.
    pub options: Vec<String>,
}

impl Page {
    /// The program under this heading, `Wrong` or `Right`.
    pub fn example(&self, heading: &str) -> Option<Example> {
        let mut lines = self.text.lines().skip_while(|line| line.strip_prefix("## ") != Some(heading));
        let fence = lines.find_map(|line| line.strip_prefix("```c"))?;
        let options = fence.split(',').map(str::to_owned).filter(|option| !option.is_empty()).collect();
        let source = lines
            .take_while(|line| !line.starts_with("```"))
            .fold(String::new(), |text, line| text + line + "\n");
        Some(Example { source, options })
    }
}

/// The page on a code.
pub fn page(code: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.code == code)
}

/// Every code with its title, in order.
pub fn titles() -> Vec<(&'static str, &'static str)> {
    let compiler = codes::ALL.iter().map(|code| (code.id, code.title));
    let mut titles: Vec<_> = compiler.chain(RULES.iter().map(|rule| (rule.code, rule.title))).collect();
    titles.sort_unstable();
    titles.dedup();
    titles
}
