//! Versions of the service protocol.
//!
//! A [`ServiceProtocolVersion`] is always one that we speak: [`ServiceProtocolVersion::MIN`] to
//! [`ServiceProtocolVersion::MAX`].

use std::fmt;

/// Represents a version of the service protocol that we speak.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceProtocolVersion(u32);

impl ServiceProtocolVersion {
    /// Version 5.
    pub const V5: Self = Self(5);
    /// Version 6: random seed and failure metadata.
    pub const V6: Self = Self(6);
    /// Version 7: await trees, acknowledged run completions, scopes.
    pub const V7: Self = Self(7);
    /// The lowest version that we speak.
    pub const MIN: Self = Self::V5;
    /// The highest version that we speak.
    pub const MAX: Self = Self::V7;

    /// Takes a version number; `None` when we do not speak it.
    pub fn new(number: u32) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&number).then_some(Self(number))
    }

    /// Picks the highest version that both we and a deployment of this range speak.
    pub fn highest_common(min: u32, max: u32) -> Option<Self> {
        Self::new(max.min(Self::MAX.0)).filter(|version| version.0 >= min)
    }

    /// Returns the version number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Returns the media type of an invocation stream in this version.
    pub fn content_type(self) -> &'static str {
        match self.0 {
            5 => "application/vnd.restate.invocation.v5",
            6 => "application/vnd.restate.invocation.v6",
            _ => "application/vnd.restate.invocation.v7",
        }
    }

    /// Finds the version of a media type, which must match exactly, as deployments require too.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        [Self::V5, Self::V6, Self::V7]
            .into_iter()
            .find(|version| version.content_type() == content_type)
    }
}

impl fmt::Display for ServiceProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl fmt::Debug for ServiceProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::ServiceProtocolVersion as Version;

    #[test]
    fn content_types_round_trip() {
        for number in 0..12 {
            let text = format!("application/vnd.restate.invocation.v{number}");
            let expected = Version::new(number);
            assert_eq!(Version::from_content_type(&text), expected, "{text}");
            assert_eq!(expected.is_some(), (5..=7).contains(&number), "{number}");
            if let Some(version) = expected {
                assert_eq!((version.content_type(), version.number()), (text.as_str(), number));
            }
        }
        for text in ["", "application/json", "application/vnd.restate.invocation.v7; x=1"] {
            assert_eq!(Version::from_content_type(text), None, "{text}");
        }
    }

    #[test]
    fn highest_common_version() {
        let table = [
            (1, 4, None),
            (8, 9, None),
            (1, 5, Some(Version::V5)),
            (5, 6, Some(Version::V6)),
            (5, 7, Some(Version::V7)),
            (7, 7, Some(Version::V7)),
            (1, u32::MAX, Some(Version::V7)),
            (7, 5, None),
        ];
        for (min, max, expected) in table {
            assert_eq!(Version::highest_common(min, max), expected, "{min}..={max}");
        }
    }
}
