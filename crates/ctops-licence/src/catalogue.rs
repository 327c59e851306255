//! Tiers and feature keys (licensing, Feature keys).

/// What is paid for, from nothing to everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Free.
    #[default]
    Community,
    /// Paid.
    Pro,
    /// Everything.
    Enterprise,
}

impl Tier {
    /// As keys and the API write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::Community => "community",
            Tier::Pro => "pro",
            Tier::Enterprise => "enterprise",
        }
    }

    /// Reads it back.
    pub fn parse(text: &str) -> Option<Self> {
        [Tier::Community, Tier::Pro, Tier::Enterprise].into_iter().find(|tier| tier.as_str() == text)
    }

    /// As people read it.
    pub fn title(self) -> &'static str {
        match self {
            Tier::Community => "Community",
            Tier::Pro => "Pro",
            Tier::Enterprise => "Enterprise",
        }
    }
}

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident = $key:literal in $tier:ident,)*) => {
        /// Everything that a tier or a key of its own opens.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Feature { $($(#[$doc])* $name,)* }

        impl Feature {
            /// Every feature.
            pub const ALL: &'static [Feature] = &[$(Feature::$name,)*];

            /// As licence keys and the API write it.
            pub fn key(self) -> &'static str {
                match self { $(Feature::$name => $key,)* }
            }

            /// The cheapest tier that contains it.
            pub fn lowest_tier(self) -> Tier {
                match self { $(Feature::$name => Tier::$tier,)* }
            }
        }
    };
}

features! {
    /// Certificate expiry: tracking, notices, bulk export.
    CertExpiryTracker = "certExpiryTracker" in Pro,
    /// Register of service accounts and its warnings.
    ServiceAccountTracker = "serviceAccountTracker" in Pro,
    /// Reports and their exports.
    ReportsExport = "reportsExport" in Pro,
    /// Scheduled software scans and scheduled delivery of reports.
    ReportsScheduled = "reportsScheduled" in Pro,
    /// Certificate requests and the internal authority.
    CsrInternalCa = "csrInternalCa" in Pro,
    /// Inventory and rotation of SSH keys.
    SshKeyInventory = "sshKeyInventory" in Pro,
    /// Keeping metrics for 181 to 365 days.
    MetricRetentionExtended = "metricRetentionExtended" in Pro,
    /// Export of metrics in bulk.
    MetricExport = "metricExport" in Pro,
    /// Sign-in through OpenID Connect.
    SsoOidc = "ssoOidc" in Pro,
    /// Viewing, exporting and keeping the audit log. Events are always written.
    AuditLog = "auditLog" in Pro,
    /// Schedules of tasks.
    ScheduledTasks = "scheduledTasks" in Pro,
    /// Rotations and escalation.
    AlertRouting = "alertRouting" in Pro,
    /// Own texts per channel and rule.
    NotificationTemplates = "notificationTemplates" in Pro,
    /// Sign-in through SAML 2.0.
    SsoSaml = "ssoSaml" in Enterprise,
    /// Custom roles and scopes by tag.
    AdvancedRbac = "advancedRbac" in Enterprise,
    /// Evidence for audits.
    CompliancePack = "compliancePack" in Enterprise,
    /// Own logo, theme and sender.
    WhiteLabel = "whiteLabel" in Enterprise,
    /// Bundles of plugins for machines without internet.
    AirgapBundlers = "airgapBundlers" in Enterprise,
    /// Several nodes, and moving between profiles.
    HaDeployment = "haDeployment" in Enterprise,
}

impl Feature {
    /// The feature with this key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|feature| feature.key() == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: licensing 4
    #[test]
    fn keys_are_spelled_exactly() {
        for feature in Feature::ALL {
            assert_eq!(Feature::from_key(feature.key()), Some(*feature));
        }
        assert_eq!(Feature::from_key("AuditLog"), None);
        assert_eq!(Tier::parse("pro"), Some(Tier::Pro));
        assert_eq!(Tier::parse("Pro"), None);
    }
}
