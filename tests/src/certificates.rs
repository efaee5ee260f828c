//! A private certificate authority for tests.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// A certificate authority and the files it has issued, which are deleted when it is dropped.
pub struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

// === impl Authority ===

impl Authority {
    /// Creates an authority with a self-signed certificate.
    pub fn new() -> Self {
        let mut params = params(Vec::new(), "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let folder = TempDir::new().expect("a temporary folder");
        fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("to write a file");
        Self { folder, issuer }
    }

    /// The path of the authority's own certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Issues a certificate for this host name or IP address; the paths of certificate and key.
    pub fn sign(&self, name: &str) -> [PathBuf; 2] {
        let key = KeyPair::generate().expect("a key");
        let params = params(vec![name.to_owned()], name);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let files = ["crt", "key"].map(|kind| self.folder.path().join(format!("{name}.{kind}")));
        fs::write(&files[0], certificate.pem()).expect("to write a file");
        fs::write(&files[1], key.serialize_pem()).expect("to write a file");
        files
    }
}

/// The subject must differ from the issuer's, or the certificate would be taken for self-signed.
fn params(names: Vec<String>, subject: &str) -> CertificateParams {
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, subject);
    params
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
