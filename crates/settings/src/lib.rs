//! Typed settings: bedplate.toml, overlays, environment overrides, secret references, provenance.
