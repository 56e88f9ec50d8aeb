//! `tepui certs`: certificates for the machines of a cluster, by an authority of its own.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use libproc::security::{Authority, Names, from_now};

use super::keygen::{Existing, write_secret};
use crate::output;

/// What the authority is called; a cluster has one.
const AUTHORITY: &str = "tepui cluster";
/// How its files are called.
const CA: (&str, &str) = ("ca.pem", "ca-key.pem");
/// A day, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// Makes certificates for --tls-cert, --tls-key and --tls-ca of master, agents and commands.
///
/// The first time it makes an authority, later it uses the one that is there: keep ca-key.pem where
/// no machine of the cluster is. A machine gets `HOST.pem` and `HOST-key.pem`, which name its
/// addresses: a node may claim those and no others. `localhost` is in every certificate, and counts
/// only on the machine itself. Daemons read certificates again when they are replaced.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui certs --dir=certs --hosts=10.0.0.1,10.0.0.2
  tepui certs --dir=certs --hosts=master.example,a=10.0.0.2    # looked up, or given
  tepui certs --dir=certs --roaming=alice                      # a laptop, at any address
  tepui certs --dir=certs --hosts=localhost
  tepui up --tls-cert=certs/localhost.pem --tls-key=certs/localhost-key.pem --tls-ca=certs/ca.pem
")]
pub(crate) struct Args {
    /// Where the authority is kept, and certificates are written; made when it is not there
    #[arg(long, value_name = "DIRECTORY")]
    dir: PathBuf,
    /// The machines, as address, name, or name=address
    #[arg(
        long,
        value_name = "HOSTS",
        value_delimiter = ',',
        required_unless_present = "roaming"
    )]
    hosts: Vec<String>,
    /// Names of operators whose machines have no fixed address: they may connect from any, and
    /// have the powers of any other member
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    roaming: Vec<String>,
    /// How long the certificates are good
    #[arg(long, default_value = "365", value_parser = clap::value_parser!(u64).range(1..=3650))]
    days: u64,
}

/// Makes them.
///
/// # Errors
/// When a host cannot be found, or a file not be written.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let machines: Result<Vec<Machine>> =
        args.hosts.iter().map(|host| Machine::find(host)).collect();
    let operators = args.roaming.iter().map(|name| Machine::roaming(name));
    let operators: Result<Vec<Machine>> = operators.collect();
    let (machines, operators) = (machines?, operators?);
    fs::create_dir_all(&args.dir)
        .with_context(|| format!("could not make {}", args.dir.display()))?;
    let authority = authority(&args.dir)?;
    let until = from_now(Duration::from_secs(args.days * DAY));
    for Machine { file, names } in machines.iter().chain(&operators) {
        let issued = authority.issue(names, until)?;
        let (certificate, key) = (format!("{file}.pem"), format!("{file}-key.pem"));
        // The key first: a certificate without its key would be refused by who reads it again.
        write_secret(
            &args.dir.join(&key),
            issued.key_pem.as_bytes(),
            Existing::Replaced,
        )?;
        write(&args.dir.join(&certificate), &issued.certificate_pem)?;
        let mut named: Vec<String> = names.hosts.clone();
        named.extend(names.addresses.iter().map(ToString::to_string));
        let named = match names.roaming {
            true => "any address".to_owned(),
            false => named.join(", "),
        };
        output::line(&format!(
            "{}: {named}",
            args.dir.join(certificate).display()
        ))?;
    }
    let dir = args.dir.display();
    let (ca, ca_key) = CA;
    eprintln!(
        "copy {ca} and its own two files to each machine, and start it with\n  \
         --tls-cert={dir}/HOST.pem --tls-key={dir}/HOST-key.pem --tls-ca={dir}/{ca}\n\
         {dir}/{ca_key} makes more of them: keep it safe"
    );
    Ok(ExitCode::SUCCESS)
}

/// Who gets a certificate.
struct Machine {
    /// How its files begin.
    file: String,
    names: Names,
}

impl Machine {
    fn find(host: &str) -> Result<Machine> {
        let (name, address) = host.split_once('=').unwrap_or((host, host));
        let found: BTreeSet<IpAddr> = match address.parse::<IpAddr>() {
            Ok(ip) => BTreeSet::from([ip]),
            Err(_) => {
                let found = (address, 0).to_socket_addrs();
                let found = found.with_context(|| {
                    format!("could not find the address of `{address}`: give {name}=ADDRESS")
                })?;
                found.map(|address| address.ip()).collect()
            }
        };
        let loopback = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        let hosts = [name, "localhost"]
            .into_iter()
            .filter(|name| name.parse::<IpAddr>().is_err());
        let hosts: BTreeSet<String> = hosts.map(str::to_owned).collect();
        Ok(Machine {
            file: file_of(name)?,
            names: Names {
                common_name: name.to_owned(),
                addresses: found
                    .into_iter()
                    .chain(loopback)
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect(),
                hosts: hosts.into_iter().collect(),
                roaming: false,
            },
        })
    }

    fn roaming(name: &str) -> Result<Machine> {
        Ok(Machine {
            file: file_of(name)?,
            names: Names {
                common_name: name.to_owned(),
                roaming: true,
                ..Names::default()
            },
        })
    }
}

/// The name of a host as that of a file, which an authority's must not be.
fn file_of(name: &str) -> Result<String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(fine) || name == "ca" {
        bail!("`{name}` cannot be the name of a machine");
    }
    Ok(name.replace(':', "-"))
}

fn authority(dir: &Path) -> Result<Authority> {
    let (certificate, key) = (dir.join(CA.0), dir.join(CA.1));
    if !certificate.exists() && !key.exists() {
        let authority = Authority::new(AUTHORITY)?;
        write_secret(&key, authority.key_pem().as_bytes(), Existing::Kept)?;
        write(&certificate, authority.certificate_pem())?;
        return Ok(authority);
    }
    let read = |path: &Path| {
        let text = fs::read_to_string(path);
        text.with_context(|| format!("could not read {}", path.display()))
    };
    let authority = Authority::from_pem(AUTHORITY, &read(&certificate)?, &read(&key)?);
    authority.with_context(|| format!("{} is not of an authority of ours", key.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_addresses_names_or_both() {
        let machine = Machine::find("a=10.0.0.2").unwrap();
        assert_eq!(machine.file, "a");
        assert_eq!(machine.names.hosts, ["a", "localhost"]);
        let addresses: Vec<String> = machine
            .names
            .addresses
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(addresses, ["10.0.0.2", "127.0.0.1", "::1"]);
        let machine = Machine::find("fe80::1").unwrap();
        assert_eq!(
            (machine.file.as_str(), machine.names.hosts.len()),
            ("fe80--1", 1)
        );
        for bad in ["", "ca", "../x=10.0.0.1", ".x=10.0.0.1", "a b=10.0.0.1"] {
            assert!(Machine::find(bad).is_err(), "{bad}");
        }
    }
}
