select checksum from bedplate.policy_runs
