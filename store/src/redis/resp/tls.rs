//! TLS settings: which server certificates are trusted, and the certificate to present.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore,
        SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        client::verify_server_cert_signed_by_trust_anchor,
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
        server::ParsedCertificate,
    },
};

use crate::file;

/// Files for TLS. They are read for each new connection, since certificates are renewed.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// Certificates to trust; `None`: the public authorities.
    pub ca: Option<PathBuf>,
    /// The proof that the server's certificate must give.
    pub verify: Verify,
    /// Certificate and private key of this side.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The proof that the server's certificate must give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// A chain to a trusted certificate, and the name or IP address of the server.
    #[default]
    Full,
    /// The chain alone, for managed servers whose certificate names something else.
    Ca,
}

/// Room for all public authorities, several times over.
const MAX_SIZE: u64 = 4 << 20;

/// The settings of TLS connections, read from their files.
#[derive(Clone)]
pub(in crate::redis) struct TlsConfig(Arc<ClientConfig>);

/// Requires a chain to a trusted certificate, and no name in it.
#[derive(Debug)]
struct ChainVerifier {
    trusted: RootCertStore,
    provider: Arc<CryptoProvider>,
}

// === impl TlsConfig ===

impl TlsConfig {
    /// Reads the files. An error names the file.
    pub(in crate::redis) fn read(settings: &TlsSettings) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let trusted = trusted(settings.ca.as_deref())?;
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match settings.verify {
            Verify::Full => builder.with_root_certificates(trusted),
            Verify::Ca => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(ChainVerifier { trusted, provider })),
        };
        let config = match &settings.identity {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let chain = certificates(cert)?;
                let key_der =
                    PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|e| about(key, e))?;
                builder.with_client_auth_cert(chain, key_der).map_err(|e| about(key, e))?
            }
        };
        Ok(Self(Arc::new(config)))
    }

    /// Shakes hands with `host` over `socket`.
    pub(super) async fn connect(
        &self,
        host: &str,
        socket: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connected = TlsConnector::from(self.0.clone()).connect(name, socket).await;
        connected.map_err(|error| match error.downcast::<Error>() {
            Ok(error) => io::Error::other(reason(&error)),
            Err(error) => error,
        })
    }
}

/// The reason of a failed handshake, with the cure where that is known.
fn reason(error: &Error) -> String {
    match error {
        Error::InvalidMessage(_) => {
            "the server does not speak TLS here: use redis:// (and so on) in --store".to_owned()
        }
        Error::InvalidCertificate(CertificateError::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            "the server's certificate is that of a CA, as `openssl req -x509` makes it: sign one \
             for the server with it, or make it with `-addext basicConstraints=critical,CA:FALSE`"
                .to_owned()
        }
        error => error.to_string(),
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

/// The certificates in a file: at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&read(file)?)
        .collect::<Result<_, _>>()
        .map_err(|error| about(file, error))?;
    if certificates.is_empty() {
        Err(about(file, "no certificate in it"))
    } else {
        Ok(certificates)
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    file::read(file, MAX_SIZE).map_err(|error| about(file, error))
}

fn about(file: &Path, error: impl fmt::Display) -> String {
    format!("{}: {error}", file.display())
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig").finish_non_exhaustive()
    }
}

// === impl ChainVerifier ===

impl ServerCertVerifier for ChainVerifier {
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
