//! What was taken over and what was not, as a page in the new project.

use super::Left;
use super::settings::Taken;

pub fn text(taken: &Taken, left: &[Left]) -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str("\n## Taken over\n\n");
    for key in &taken.keys {
        text.push_str(&format!("- `{key}`\n"));
    }
    text.push_str("- the migrations, unchanged\n\n## Not taken over\n");
    for left in left {
        text.push_str(&format!("\n**{}**: {}.\n", left.what, left.why));
        if !left.values.is_empty() {
            text.push_str("\n```toml\n");
            for (key, value) in &left.values {
                text.push_str(&format!("{key} = {value}\n"));
            }
            text.push_str("```\n");
        }
    }
    text
}

const INTRODUCTION: &str = "\
# From Supabase

How this project was made from a `supabase/` folder. Nothing reads this page: delete it when you have.

## What is different

- **Row-level security is demanded.** Supabase offers every table of the API's schemas to whoever the grants let in.
  Bedplate offers a table when it has row-level security and a policy. `bedplate dev` lists the tables that have not,
  with the SQL that would change that. `[access.schemas.NAME] require_rls = false` leaves it to the grants.
- **Functions are granted on purpose.** In Supabase `anon` and `authenticated` may call what is created in `public`.
  Here they need `grant execute on function … to authenticated`.
- **Views** that do not run with the caller's rights (`security_invoker = true`) have to be named in `[access] views`.
- **Policies may stay in the migrations.** New ones can also stand in `policies/*.sql`, which are applied after the
  migrations, all in one transaction, as often as they change.
";
