//! Which public keys count (licensing 9, 10).

use ctops_licence::{DEVELOPMENT_VERIFIER_PEM, Verifier, is_development};

/// The key baked into this build, PEM; a build without one can only be used with a key from outside.
const BAKED: Option<&str> = option_env!("CT_OPS_BUILD_LICENCE_PUBLIC_KEY");

/// Where the key for new activations may come from, in the order in which they are asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeySources<'a> {
    /// Text of the file at `LICENCE_PUBLIC_KEY_PATH`; none when it is not set or cannot be read.
    pub file: Option<&'a str>,
    /// `LICENCE_PUBLIC_KEY`.
    pub inline: Option<&'a str>,
}

/// The verifier keys of this process.
#[derive(Clone, Debug)]
pub struct VerifierTrust {
    activation: Option<Verifier>,
    known: Vec<Verifier>,
    allow_development: bool,
}

impl VerifierTrust {
    /// Chooses the key for new activations: the file, else the setting, else the one of the build. The development key is
    /// a key in development only; in production every source that holds it leaves this process without a key.
    ///
    /// # Errors
    /// Why the chosen source holds no usable key, for people.
    pub fn choose(sources: KeySources<'_>, allow_development: bool) -> Result<Self, String> {
        Self::of(sources, BAKED, allow_development)
    }

    fn of(sources: KeySources<'_>, baked: Option<&str>, allow_development: bool) -> Result<Self, String> {
        let standard = baked.or(allow_development.then_some(DEVELOPMENT_VERIFIER_PEM));
        let given = sources.file.or(sources.inline).map(|pem| pem.replace("\\n", "\n"));
        let read = |pem: &str| Verifier::from_pem(pem).map_err(|error| error.to_string());
        let activation = match given.as_deref().or(standard) {
            Some(pem) => Some(read(pem)?),
            None => None,
        };
        if !allow_development && activation.as_ref().is_some_and(is_development) {
            return Err("the development key signs no licences for production".into());
        }
        let known = [baked, allow_development.then_some(DEVELOPMENT_VERIFIER_PEM)];
        let known = known.into_iter().flatten().filter_map(|pem| Verifier::from_pem(pem).ok());
        let known = known.filter(|key| allow_development || !is_development(key)).collect();
        Ok(Self { activation, known, allow_development })
    }

    /// No key at all: nothing can be activated.
    pub fn nothing() -> Self {
        Self { activation: None, known: Vec::new(), allow_development: false }
    }

    /// The key that new licences must be signed with.
    pub fn activation(&self) -> Option<&Verifier> {
        self.activation.as_ref()
    }

    /// Whether a stored key counts without a seal, because this build knows it.
    pub fn knows(&self, verifier: &Verifier) -> bool {
        self.known.contains(verifier)
    }

    /// Whether a key may count at all.
    pub fn allows(&self, verifier: &Verifier) -> bool {
        self.allow_development || !is_development(verifier)
    }

    /// Every key of this process: those that revocation bundles may be signed with, beside those of stored licences.
    pub fn all(&self) -> Vec<Verifier> {
        let mut keys = self.known.clone();
        keys.extend(self.activation.iter().filter(|key| !self.known.contains(key)).cloned());
        keys
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const DEVELOPMENT: &str = DEVELOPMENT_VERIFIER_PEM;

    /// A key of an issuer.
    const OTHER: &str = include_str!("../../tests/it/other-verifier.pem");

    fn chosen(
        file: Option<&str>,
        inline: Option<&str>,
        baked: Option<&str>,
        allow: bool,
    ) -> Result<Option<bool>, String> {
        let trust = VerifierTrust::of(KeySources { file, inline }, baked, allow)?;
        Ok(trust.activation().map(is_development))
    }

    /// Spec: licensing 10
    #[test]
    fn the_file_comes_before_the_setting_and_that_before_the_build() {
        assert_eq!(chosen(Some(OTHER), Some(DEVELOPMENT), Some(DEVELOPMENT), true), Ok(Some(false)));
        assert_eq!(chosen(None, Some(OTHER), Some(DEVELOPMENT), true), Ok(Some(false)));
        assert_eq!(chosen(None, Some(&OTHER.replace('\n', "\\n")), None, false), Ok(Some(false)));
        assert_eq!(chosen(None, None, Some(OTHER), false), Ok(Some(false)));
        assert_eq!(chosen(None, None, None, true), Ok(Some(true)), "development");
        assert_eq!(chosen(None, None, None, false), Ok(None));
        assert!(chosen(Some("text"), Some(OTHER), None, false).is_err(), "a mistake is not passed over");
    }

    /// Spec: licensing 10
    #[test]
    fn production_refuses_the_development_key_from_every_source() {
        for (file, inline, baked) in [
            (Some(DEVELOPMENT), None, None),
            (None, Some(DEVELOPMENT), None),
            (None, None, Some(DEVELOPMENT)),
        ] {
            assert!(chosen(file, inline, baked, false).is_err());
        }
        let trust =
            VerifierTrust::of(KeySources { file: Some(OTHER), inline: None }, Some(DEVELOPMENT), false)
                .unwrap();
        let development = Verifier::from_pem(DEVELOPMENT).unwrap();
        assert!(!trust.allows(&development) && !trust.knows(&development) && trust.all().len() == 1);
    }
}
