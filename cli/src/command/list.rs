//! `autopgo list`: every merged profile, as a table or as JSON.

use autopgo_core::api::Listed;
use autopgo_core::clock::since;
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, Table};
use jiff::Timestamp;

use super::wait;
use crate::args::api::List;
use crate::output::{self, Failure, human};

pub(crate) fn run(args: &List) -> Result<(), Failure> {
    let client = args.api.client().map_err(Failure::of_options)?;
    let listed = wait(client.list())?;
    if args.output.json {
        return output::json(&listed);
    }
    if listed.profiles.is_empty() {
        output::note("there are no profiles yet; `autopgo upload` and `autopgo scrape` bring some");
        return Ok(());
    }
    output::write(table(&listed.profiles, Timestamp::now()))
}

fn table(profiles: &[Listed], now: Timestamp) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["APP", "SIZE", "UPDATED"]);
    for line in profiles {
        table.add_row([
            Cell::new(&line.key),
            Cell::new(human::size(line.size)).set_alignment(CellAlignment::Right),
            Cell::new(human::age(since(line.last_modified, now))),
        ]);
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if at == 0 { 0 } else { 2 }, 0));
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lines_up() {
        let line = |key: &str, size, time: &str| Listed {
            key: key.parse().expect("a name"),
            size,
            last_modified: time.parse().expect("a time"),
        };
        let now = "2024-10-28T12:00:00Z".parse().expect("a time");
        let profiles = [
            line("checkout", 293_923, "2024-10-28T09:00:00Z"),
            line("a", 12, "2024-10-28T12:00:05Z"),
            line("very-long-name", 1_500_000, "2024-08-01T00:00:00Z"),
        ];
        assert_eq!(
            table(&profiles, now),
            "\
APP             SIZE       UPDATED
checkout        287.0 KiB  3 hours ago
a                    12 B  just now
very-long-name    1.4 MiB  88 days ago"
        );
    }
}
