//! A slapd of its own for a test: in a temporary directory, on loopback, with TLS by an authority made here.

use std::collections::HashSet;
use std::fmt::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ctops_testkit::wait_until;
use ldap3::{Ldap, LdapConnAsync};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

pub(crate) const BASE: &str = "dc=example,dc=com";
pub(crate) const PEOPLE: &str = "ou=people,dc=example,dc=com";
pub(crate) const SERVICE: &str = "cn=service,dc=example,dc=com";
pub(crate) const SERVICE_PASSWORD: &str = "service account's own";
pub(crate) const PASSWORD: &str = "analytical engine";
const ROOT: &str = "cn=root,dc=example,dc=com";
const ROOT_PASSWORD: &str = "root";

/// Attributes of Active Directory that the tests need, under numbers for private use.
const AD_SCHEMA: &str = r"
attributetype ( 1.3.6.1.4.1.99999.1.1 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.2 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.3 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.4 NAME 'objectSid' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.5 NAME 'primaryGroupID' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.6 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.7 NAME 'lockoutTime' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.8 NAME 'accountExpires' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.9 NAME 'pwdLastSet' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.10 NAME 'msDS-UserPasswordExpiryTimeComputed' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.11 NAME 'lockoutDuration' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.12 NAME 'thumbnailPhoto' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.13 NAME 'unicodePwd' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.14 NAME 'msLAPS-Password' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.15 NAME 'department' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.99999.2.1 NAME 'adThing' SUP top AUXILIARY MAY ( sAMAccountName $ userPrincipalName $ objectGUID $ objectSid $ primaryGroupID $ userAccountControl $ lockoutTime $ accountExpires $ pwdLastSet $ msDS-UserPasswordExpiryTimeComputed $ lockoutDuration $ thumbnailPhoto $ unicodePwd $ msLAPS-Password $ department ) )
";

/// A running directory; stopped and removed when dropped.
pub(crate) struct Slapd {
    child: Child,
    pub(crate) plain_port: u16,
    pub(crate) tls_port: u16,
    /// The authority that vouches for it.
    pub(crate) ca_pem: String,
    _dir: TempDir,
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The program, or the end of the test: a directory that is not there would let everything pass.
fn program(name: &str) -> String {
    let path = format!("/usr/sbin/{name}");
    assert!(Path::new(&path).exists(), "{path} is missing: `make test` installs it (Debian package slapd)");
    path
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An authority and a server certificate for 127.0.0.1: authority, certificate, key, all PEM.
fn certificates() -> (String, String, String) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "Directory test authority");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let mut server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    server.distinguished_name.push(DnType::CommonName, "dc1.example.com");
    let certificate = server.signed_by(&key, &issuer).unwrap();
    (ca_pem, certificate.pem(), key.serialize_pem())
}

impl Slapd {
    /// Starts one with the people of [`people`].
    pub(crate) async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let (ca_pem, certificate, key) = certificates();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        for (name, text) in [("ca.pem", &ca_pem), ("server.pem", &certificate), ("server.key", &key)] {
            write(name, text);
        }
        write("ad.schema", AD_SCHEMA);
        write("slapd.conf", &configuration(dir.path()));
        write("people.ldif", &people());
        std::fs::create_dir(dir.path().join("db")).unwrap();
        let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        let loaded = Command::new(program("slapadd"))
            .args(["-f", &path("slapd.conf"), "-l", &path("people.ldif")])
            .output()
            .unwrap();
        assert!(loaded.status.success(), "slapadd: {}", String::from_utf8_lossy(&loaded.stderr));
        let (plain_port, tls_port) = (free_port(), free_port());
        let listen = format!("ldap://127.0.0.1:{plain_port}/ ldaps://127.0.0.1:{tls_port}/");
        let child = Command::new(program("slapd"))
            .args(["-f", &path("slapd.conf"), "-h", &listen, "-d", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let slapd = Self { child, plain_port, tls_port, ca_pem, _dir: dir };
        wait_until(Duration::from_secs(20), || async move {
            tokio::net::TcpStream::connect(("127.0.0.1", plain_port)).await.is_ok()
        })
        .await;
        slapd.add_groups().await;
        slapd
    }

    async fn as_root(&self) -> Ldap {
        let url = format!("ldap://127.0.0.1:{}", self.plain_port);
        let (connection, mut ldap) = LdapConnAsync::new(&url).await.unwrap();
        tokio::spawn(connection.drive());
        ldap.simple_bind(ROOT, ROOT_PASSWORD).await.unwrap().success().unwrap();
        ldap
    }

    /// The overlay that keeps `memberOf` sees only what comes over the network.
    async fn add_groups(&self) {
        let mut ldap = self.as_root().await;
        for (name, members) in [
            ("ops", vec!["uid=ada,ou=people,dc=example,dc=com".to_owned()]),
            ("engineering", vec!["cn=ops,ou=groups,dc=example,dc=com".to_owned()]),
            ("staff", vec!["cn=engineering,ou=groups,dc=example,dc=com".to_owned()]),
            ("empty", vec!["uid=nobody,ou=people,dc=example,dc=com".to_owned()]),
        ] {
            let members: HashSet<&str> = members.iter().map(String::as_str).collect();
            let attributes = vec![
                ("objectClass", HashSet::from(["groupOfNames"])),
                ("cn", HashSet::from([name])),
                ("member", members),
            ];
            let dn = format!("cn={name},ou=groups,{BASE}");
            ldap.add(&dn, attributes).await.unwrap().success().unwrap();
        }
    }

    /// Puts somebody into many groups.
    pub(crate) async fn add_many_groups(&self, member: &str, count: usize) {
        let mut ldap = self.as_root().await;
        for number in 0..count {
            let name = format!("g{number:04}");
            let attributes = vec![
                ("objectClass", HashSet::from(["groupOfNames"])),
                ("cn", HashSet::from([name.as_str()])),
                ("member", HashSet::from([member])),
            ];
            ldap.add(&format!("cn={name},ou=groups,{BASE}"), attributes).await.unwrap().success().unwrap();
        }
    }

    /// Replaces an attribute of an entry.
    pub(crate) async fn replace(&self, dn: &str, attribute: &str, value: &str) {
        let mut ldap = self.as_root().await;
        let change = vec![ldap3::Mod::Replace(attribute, HashSet::from([value]))];
        ldap.modify(dn, change).await.unwrap().success().unwrap();
    }

    /// Stops answering.
    pub(crate) fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        r#"
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
include {dir}/ad.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
TLSCACertificateFile {dir}/ca.pem
TLSCertificateFile {dir}/server.pem
TLSCertificateKeyFile {dir}/server.key
sizelimit size.soft=60 size.hard=60 size.pr=100 size.prtotal=unlimited
database mdb
maxsize 67108864
suffix "{BASE}"
rootdn "{ROOT}"
rootpw {ROOT_PASSWORD}
directory {dir}/db
dbnosync
index objectClass,uid,member,sAMAccountName eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{SERVICE}" read by anonymous auth by self read by * none
overlay memberof
memberof-dangling ignore
overlay ppolicy
ppolicy_default "cn=default,ou=policies,{BASE}"
ppolicy_use_lockout
"#
    )
}

/// The content: people in the style of both kinds of directories, a policy, a machine that is nobody's business.
fn people() -> String {
    let mut ldif = format!(
        "dn: {BASE}
objectClass: domain
objectClass: adThing
dc: example
lockoutDuration: -18000000000

dn: ou=people,{BASE}
objectClass: organizationalUnit
ou: people

dn: ou=deep,ou=people,{BASE}
objectClass: organizationalUnit
ou: deep

dn: ou=groups,{BASE}
objectClass: organizationalUnit
ou: groups

dn: ou=policies,{BASE}
objectClass: organizationalUnit
ou: policies

dn: cn=default,ou=policies,{BASE}
objectClass: device
objectClass: pwdPolicy
cn: default
pwdAttribute: userPassword
pwdMaxAge: 7776000
pwdLockout: TRUE
pwdMustChange: TRUE
pwdMaxFailure: 3
pwdLockoutDuration: 0

dn: {SERVICE}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: service
userPassword: {SERVICE_PASSWORD}

dn: cn=vault,{BASE}
objectClass: device
cn: vault

"
    );
    for (uid, name, more) in [
        (
            "ada",
            "Ada Lovelace",
            "mail: ada@example.com\ntitle: Countess\nobjectClass: shadowAccount\nshadowMax: 90\nshadowLastChange: 20000\n",
        ),
        ("grace", "Grace Hopper", "mail: grace@example.com\n"),
        ("nomail", "Niemand Ohnepost", ""),
        ("twin", "Twin One", ""),
    ] {
        person(&mut ldif, &format!("uid={uid},{PEOPLE}"), uid, name, more);
    }
    person(&mut ldif, &format!("uid=twin,ou=deep,{PEOPLE}"), "twin", "Twin Two", "");
    person(
        &mut ldif,
        &format!("cn=Curry\\2C Haskell+uid=haskell,{PEOPLE}"),
        "haskell",
        "Curry, Haskell",
        "objectClass: adThing
sAMAccountName: haskell
userPrincipalName: haskell@corp.example.com
objectGUID:: MyIRAFVEd2aImaq7zN3u/w==
objectSid:: AQUAAAAAAAUVAAAAFQAAABYAAAAXAAAA9AEAAA==
primaryGroupID: 513
userAccountControl: 514
pwdLastSet: 133449696000000000
accountExpires: 9223372036854775807
msDS-UserPasswordExpiryTimeComputed: 9223372036854775807
thumbnailPhoto:: iVBORw0KGgpyZXN0
unicodePwd:: bWFya2VyLTQ3MTE=
msLAPS-Password: marker-4711
department: Logic
mail: haskell@example.com
",
    );
    let _ = write!(
        ldif,
        "dn: cn=Domain Users,ou=groups,{BASE}
objectClass: groupOfNames
objectClass: adThing
cn: Domain Users
member: cn=nobody
objectSid:: AQUAAAAAAAUVAAAAFQAAABYAAAAXAAAAAQIAAA==

"
    );
    for number in 0..70 {
        let uid = format!("crowd{number:02}");
        person(&mut ldif, &format!("uid={uid},{PEOPLE}"), &uid, &format!("Crowd {number:02}"), "");
    }
    ldif
}

fn person(ldif: &mut String, dn: &str, uid: &str, name: &str, more: &str) {
    let _ = write!(
        ldif,
        "dn: {dn}
objectClass: inetOrgPerson
uid: {uid}
cn: {name}
sn: {name}
displayName: {name}
userPassword: {PASSWORD}
{more}
"
    );
}
