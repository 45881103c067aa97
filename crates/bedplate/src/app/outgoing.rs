//! The client for calls that Bedplate makes, from the settings.

use bedplate_core::Problem;
use bedplate_http::{Collector, Samples};
use bedplate_outgoing::{Allowed, Client, Config, OUTCOMES};
use bedplate_settings::Loaded;

use super::Mode;

bedplate_core::codes! {
    /// `[outgoing]` has a value that cannot be used.
    OUTGOING_SETTINGS_INVALID = "outgoing_settings_invalid", 500, Server, "The settings of outgoing calls cannot be used", final;
}

/// One for the process: limits and breakers hold for all who call.
pub fn client(loaded: &Loaded, mode: Mode) -> Result<Client, Problem> {
    let settings = &loaded.settings.outgoing;
    let listed = settings
        .allow
        .iter()
        .map(|text| text.parse().map_err(|why| invalid(format!("outgoing.allow: {why}"))));
    let mut allow = listed.collect::<Result<Vec<Allowed>, Problem>>()?;
    if mode == Mode::Dev {
        // The other services of an app under development are on the same machine.
        allow.extend(Allowed::loopback());
    }
    let authorities = settings.ca_file.as_deref().map(|path| {
        let read = bedplate_outgoing::authorities(&loaded.dir.join(path));
        read.map_err(|why| invalid(format!("outgoing.ca_file: {path} {why}")))
    });
    Ok(Client::new(Config {
        allow,
        per_host: settings.connections_per_host,
        authorities: authorities.transpose()?.unwrap_or_default(),
        ..Config::default()
    }))
}

fn invalid(detail: String) -> Problem {
    Problem::new(&OUTGOING_SETTINGS_INVALID).detail(detail).hint("correct [outgoing] in bedplate.toml")
}

/// What the client tells Prometheus. Labels are classes of use and outcomes, never hosts.
pub fn collector(client: Client) -> impl Collector {
    move |samples: &mut Samples| {
        let statistics = client.statistics();
        for class in &statistics.classes {
            for (outcome, count) in OUTCOMES.iter().zip(class.outcomes).filter(|(_, count)| *count > 0) {
                let labels = [("class", class.class), ("outcome", *outcome)];
                samples.counter(
                    "bedplate_outgoing_calls",
                    "Calls made, by what they came to.",
                    &labels,
                    count,
                );
            }
            let labels = [("class", class.class)];
            let micros = class.time.as_micros() as u64;
            samples.counter("bedplate_outgoing_microseconds", "Time that calls took.", &labels, micros);
            samples.counter(
                "bedplate_outgoing_repeats",
                "Attempts after the first.",
                &labels,
                class.repeated,
            );
            samples.gauge("bedplate_outgoing_in_flight", "Calls under way.", &labels, class.under_way as f64);
        }
        let open = statistics.open_breakers as f64;
        samples.gauge(
            "bedplate_outgoing_breakers_open",
            "Hosts that are left alone after failures.",
            &[],
            open,
        );
    }
}
