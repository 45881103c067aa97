select name, checksum from bedplate.seeds
