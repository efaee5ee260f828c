//! Whom to believe that it is Redis, and how to prove who we are.

use std::{fmt, io, path::Path, sync::Arc};

use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};

use crate::settings::{TlsSettings, Verify};

/// What connections over TLS are made with.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

/// Asks for a chain to a trusted certificate, and for no name in it.
#[derive(Debug)]
struct ChainOnly {
    trusted: RootCertStore,
    provider: Arc<CryptoProvider>,
}

// === impl Tls ===

impl Tls {
    /// Reads the files; the error names the one it is about.
    pub fn read(settings: &TlsSettings) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let trusted = trusted(settings.ca.as_deref())?;
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match settings.verify {
            Verify::Full => builder.with_root_certificates(trusted),
            Verify::Ca => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(ChainOnly { trusted, provider })),
        };
        let config = match &settings.identity {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let chain = certificates(cert)?;
                let key_der = PrivateKeyDer::from_pem_file(key).map_err(|e| about(key, e))?;
                builder.with_client_auth_cert(chain, key_der).map_err(|e| about(key, e))?
            }
        };
        Ok(Self(Arc::new(config)))
    }

    /// The client's side of a connection to `host`.
    pub(super) fn session(&self, host: &str) -> io::Result<ClientConnection> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut session = ClientConnection::new(self.0.clone(), name).map_err(io::Error::other)?;
        session.set_buffer_limit(None); // what is in flight is limited elsewhere
        Ok(session)
    }
}

fn trusted(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut trusted = RootCertStore::empty();
    match ca {
        None => trusted.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => {
            for certificate in certificates(file)? {
                trusted.add(certificate).map_err(|error| about(file, error))?;
            }
        }
    }
    Ok(trusted)
}

/// At least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(file).map_err(|error| about(file, error))?;
    let read: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| about(file, error))?;
    if read.is_empty() { Err(about(file, "no certificate in it")) } else { Ok(read) }
}

fn about(file: &Path, error: impl fmt::Display) -> String {
    format!("{}: {error}", file.display())
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

// === impl ChainOnly ===

impl ServerCertVerifier for ChainOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.trusted,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
