//! Classes of Unicode: `\pL`, `\p{Greek}`, `\P{^Lu}`. The names are those that Go 1.26 knows, found as it finds them:
//! without regard to case, and to underscores, hyphens and spaces in the names of categories.

use super::Refusal;
use super::class::{INVALID_RANGE, Set};

/// Adds the class that `text` begins with, if it does, and gives its length.
///
/// # Errors
/// A name that Go does not know.
pub(super) fn parse(text: &str, set: &mut Set) -> Result<Option<usize>, Refusal> {
    let mut negated = match text.as_bytes() {
        [b'\\', b'p', ..] => false,
        [b'\\', b'P', ..] => true,
        _ => return Ok(None),
    };
    let (mut name, length) = match text[2..].chars().next() {
        None => ("", 2),
        Some('{') => match text.find('}') {
            Some(end) => (&text[3..end], end + 1),
            None => return Err(Refusal::new(INVALID_RANGE, text)),
        },
        Some(c) => (&text[2..2 + c.len_utf8()], 2 + c.len_utf8()),
    };
    if let Some(rest) = name.strip_prefix('^') {
        (name, negated) = (rest, !negated);
    }
    let class =
        class(&canonical(name), negated).ok_or_else(|| Refusal::new(INVALID_RANGE, &text[..length]))?;
    set.add_class(&class);
    Ok(Some(length))
}

/// The class of that canonical name in Rust's syntax.
fn class(name: &str, negated: bool) -> Option<String> {
    let (p, not) = if negated { ('P', "^") } else { ('p', "") };
    let category = |name: &str| format!(r"\{p}{{gc={name}}}");
    let text = match name {
        "Any" => format!(r"[{not}\x00-\x{{10FFFF}}]"),
        "Ascii" => format!(r"[{not}\x00-\x7F]"),
        // All but the unassigned.
        "Assigned" => class("Cn", !negated)?,
        "Lc" => category("LC"),
        // Surrogates, which no text holds.
        "Cs" | "Surrogate" => format!(r"[{}\x00-\x{{10FFFF}}]", if negated { "" } else { "^" }),
        name if CATEGORIES.contains(&name) => category(name),
        name if SCRIPTS.contains(&name) => format!(r"\{p}{{sc={name}}}"),
        name => category(CATEGORY_NAMES.iter().find(|(long, _)| *long == name)?.1),
    };
    Some(text)
}

/// As Go looks names up: the first letter large, the others small, no separators. Of the scripts with a name of
/// several words Go 1.26 so finds none, since its table has them with their underscores.
fn canonical(name: &str) -> String {
    let mut canonical = String::with_capacity(name.len());
    for c in name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')) {
        canonical.push(if canonical.is_empty() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
    }
    canonical
}

/// Go's `unicode.Categories`, but for `LC` and `Cs`.
const CATEGORIES: [&str; 36] = [
    "C", "Cc", "Cf", "Cn", "Co", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl",
    "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs",
];

/// Go's `unicode.CategoryAliases` in canonical form, but for the surrogates.
const CATEGORY_NAMES: [(&str, &str); 41] = [
    ("Casedletter", "LC"),
    ("Closepunctuation", "Pe"),
    ("Cntrl", "Cc"),
    ("Combiningmark", "M"),
    ("Connectorpunctuation", "Pc"),
    ("Control", "Cc"),
    ("Currencysymbol", "Sc"),
    ("Dashpunctuation", "Pd"),
    ("Decimalnumber", "Nd"),
    ("Digit", "Nd"),
    ("Enclosingmark", "Me"),
    ("Finalpunctuation", "Pf"),
    ("Format", "Cf"),
    ("Initialpunctuation", "Pi"),
    ("Letter", "L"),
    ("Letternumber", "Nl"),
    ("Lineseparator", "Zl"),
    ("Lowercaseletter", "Ll"),
    ("Mark", "M"),
    ("Mathsymbol", "Sm"),
    ("Modifierletter", "Lm"),
    ("Modifiersymbol", "Sk"),
    ("Nonspacingmark", "Mn"),
    ("Number", "N"),
    ("Openpunctuation", "Ps"),
    ("Other", "C"),
    ("Otherletter", "Lo"),
    ("Othernumber", "No"),
    ("Otherpunctuation", "Po"),
    ("Othersymbol", "So"),
    ("Paragraphseparator", "Zp"),
    ("Privateuse", "Co"),
    ("Punct", "P"),
    ("Punctuation", "P"),
    ("Separator", "Z"),
    ("Spaceseparator", "Zs"),
    ("Spacingmark", "Mc"),
    ("Symbol", "S"),
    ("Titlecaseletter", "Lt"),
    ("Unassigned", "Cn"),
    ("Uppercaseletter", "Lu"),
];

/// Go's `unicode.Scripts` of one word, as of Unicode 15.
const SCRIPTS: [&str; 117] = [
    "Adlam",
    "Ahom",
    "Arabic",
    "Armenian",
    "Avestan",
    "Balinese",
    "Bamum",
    "Batak",
    "Bengali",
    "Bhaiksuki",
    "Bopomofo",
    "Brahmi",
    "Braille",
    "Buginese",
    "Buhid",
    "Carian",
    "Chakma",
    "Cham",
    "Cherokee",
    "Chorasmian",
    "Common",
    "Coptic",
    "Cuneiform",
    "Cypriot",
    "Cyrillic",
    "Deseret",
    "Devanagari",
    "Dogra",
    "Duployan",
    "Elbasan",
    "Elymaic",
    "Ethiopic",
    "Georgian",
    "Glagolitic",
    "Gothic",
    "Grantha",
    "Greek",
    "Gujarati",
    "Gurmukhi",
    "Han",
    "Hangul",
    "Hanunoo",
    "Hatran",
    "Hebrew",
    "Hiragana",
    "Inherited",
    "Javanese",
    "Kaithi",
    "Kannada",
    "Katakana",
    "Kawi",
    "Kharoshthi",
    "Khmer",
    "Khojki",
    "Khudawadi",
    "Lao",
    "Latin",
    "Lepcha",
    "Limbu",
    "Lisu",
    "Lycian",
    "Lydian",
    "Mahajani",
    "Makasar",
    "Malayalam",
    "Mandaic",
    "Manichaean",
    "Marchen",
    "Medefaidrin",
    "Miao",
    "Modi",
    "Mongolian",
    "Mro",
    "Multani",
    "Myanmar",
    "Nabataean",
    "Nandinagari",
    "Newa",
    "Nko",
    "Nushu",
    "Ogham",
    "Oriya",
    "Osage",
    "Osmanya",
    "Palmyrene",
    "Phoenician",
    "Rejang",
    "Runic",
    "Samaritan",
    "Saurashtra",
    "Sharada",
    "Shavian",
    "Siddham",
    "Sinhala",
    "Sogdian",
    "Soyombo",
    "Sundanese",
    "Syriac",
    "Tagalog",
    "Tagbanwa",
    "Takri",
    "Tamil",
    "Tangsa",
    "Tangut",
    "Telugu",
    "Thaana",
    "Thai",
    "Tibetan",
    "Tifinagh",
    "Tirhuta",
    "Toto",
    "Ugaritic",
    "Vai",
    "Vithkuqi",
    "Wancho",
    "Yezidi",
    "Yi",
];
