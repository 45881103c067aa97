//! A private server of one test: with TCP, certificates, passwords, and a life that the test decides.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bedplate_testkit::{Binaries, RunAs};

pub const PASSWORD: &str = "s3cret pass:word";

pub struct Server {
    dir: tempfile::TempDir,
    binaries: Binaries,
    pub port: u16,
}

/// A certificate authority and a certificate made out to a name.
pub struct Certificates {
    pub authority: String,
    pub certificate: String,
    pub key: String,
}

impl Certificates {
    pub fn made_out_to(name: &str) -> Self {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        ca.distinguished_name.push(rcgen::DnType::CommonName, format!("authority of {name}"));
        let authority = ca.self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Self { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Server {
    /// `conf` is added to postgresql.conf, `hba` are the lines for TCP. The user `app` has [`PASSWORD`].
    pub fn start(conf: &str, hba: &str, certificates: Option<&Certificates>) -> Self {
        let run_as = RunAs::detect();
        let dir = tempfile::Builder::new().prefix("bp-db-").tempdir().unwrap();
        run_as.own(dir.path()).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { dir, binaries: Binaries::find(), port };
        let out = server
            .binaries
            .command("initdb", &run_as)
            .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", "postgres", "-D"])
            .arg(server.data())
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let mut text = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\nfsync = off\n\
             shared_buffers = 16MB\nmax_connections = 40\nautovacuum = off\n{conf}\n",
            server.socket_dir().display()
        );
        if let Some(c) = certificates {
            for (name, pem) in
                [("server.crt", &c.certificate), ("server.key", &c.key), ("ca.crt", &c.authority)]
            {
                let path = server.data().join(name);
                fs::write(&path, pem).unwrap();
                run_as.own(&path).unwrap();
                fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            }
            text.push_str("ssl = on\n");
        }
        let conf = server.data().join("postgresql.conf");
        fs::write(&conf, fs::read_to_string(&conf).unwrap() + &text).unwrap();
        fs::write(server.data().join("pg_hba.conf"), format!("local all all trust\n{hba}\n")).unwrap();
        server.up();
        server
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("pg")
    }

    pub fn socket_dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn authority(&self) -> String {
        self.data().join("ca.crt").display().to_string()
    }

    pub fn up(&self) {
        self.control(&["start", "-w", "-t", "60", "-l"], Some(&self.dir.path().join("log")));
    }

    pub fn down(&self, mode: &str) {
        self.control(&["stop", "-w", "-m", mode], None);
    }

    fn control(&self, args: &[&str], log: Option<&Path>) {
        let mut command = self.binaries.command("pg_ctl", &RunAs::detect());
        command.arg("-s").arg("-D").arg(self.data()).args(args).args(log);
        let status =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        let text = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        assert!(status.success(), "pg_ctl {args:?}\n{text}");
    }

    pub async fn admin(&self) -> tokio_postgres::Client {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.socket_dir()).port(self.port).user("postgres").dbname("postgres");
        bedplate_testkit::connect(&config).await
    }

    /// Makes the login `app` and the role `app_user`.
    pub async fn with_logins(self) -> Self {
        let sql = format!(
            "create role app_user; create role app login password '{PASSWORD}' in role app_user;
             set password_encryption = 'md5'; create role old login password '{PASSWORD}' in role app_user"
        );
        self.admin().await.batch_execute(&sql).await.unwrap();
        self
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut command = self.binaries.command("pg_ctl", &RunAs::detect());
        command.args(["stop", "-m", "immediate", "-w", "-s", "-D"]).arg(self.data());
        let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}
