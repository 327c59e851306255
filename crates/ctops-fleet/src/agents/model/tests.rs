use super::*;

const ID: &str = "abcdefghijklmnopqrst0189";

#[test]
fn signals_when_written_are_read_back_and_others_are_not() {
    for signal in [
        AgentSignal::Approved(ID.into()),
        AgentSignal::Revoked(ID.into()),
        AgentSignal::Certificate(ID.into()),
    ] {
        assert_eq!(AgentSignal::parse(&signal.to_string()), Some(signal.clone()));
        assert_eq!(signal.agent_id(), ID);
    }
    for other in ["", "approved", "approved:", "approved:short", "deleted:abcdefghijklmnopqrst0189"] {
        assert_eq!(AgentSignal::parse(other), None, "{other}");
    }
}

#[test]
fn superseded_sessions_when_there_are_many_then_every_signal_fits_and_is_read_back() {
    let node = |n| Uuid::from_u128(n);
    let pairs: Vec<(Uuid, Uuid)> = (0..500).map(|n| (node(n % 2), Uuid::from_u128(1000 + n))).collect();
    let signals = SupersededSessions::gather(&pairs);
    assert_eq!(signals.len(), 4, "250 of each node");
    assert_eq!(signals.iter().map(|signal| signal.sessions.len()).sum::<usize>(), 500);
    for signal in signals {
        let payload = signal.to_string();
        assert!(payload.len() <= ctops_pg::notify::MAX_PAYLOAD);
        assert_eq!(SupersededSessions::parse(&payload), Some(signal));
    }
    for other in ["superseded:", "superseded:x:y", &format!("superseded:{}:", node(1)), "revoked:x"] {
        assert_eq!(SupersededSessions::parse(other), None, "{other}");
    }
}

#[test]
fn names_when_written_are_read_back() {
    for status in AgentStatus::ALL {
        assert_eq!(AgentStatus::from_name(status.as_str()), Some(status));
    }
    for end in LeaseEnd::ALL {
        assert_eq!(LeaseEnd::from_name(end.as_str()), Some(end));
    }
    for matched in MatchedOn::ALL {
        assert_eq!(MatchedOn::from_name(matched.as_str()), Some(matched));
    }
}

#[test]
fn debug_of_a_call_and_its_answer_shows_no_secret() {
    let input = RegisterInput {
        enrolment_token: "tok_secret".into(),
        public_key: "pubkeytext".into(),
        ..RegisterInput::default()
    };
    let outcome = RegisterOutcome {
        agent_id: ID.into(),
        status: RegisterStatus::Active,
        message: String::new(),
        jwt: Some("eyJ.secret".into()),
        certificate: None,
        agent_ca_pem: String::new(),
    };
    let text = format!("{input:?} {outcome:?}");
    assert!(!text.contains("secret") && !text.contains("pubkeytext"), "{text}");
}
