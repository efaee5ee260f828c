//! Raw results: one JSON object per line and measurement.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::sample::Sample;

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) row: String,
    pub(crate) round: u32,
    /// The variant that was measured: in most rows `reference` or `subject`.
    #[serde(rename = "side")]
    pub(crate) variant: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    /// The server's CPU time per operation, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) cpu_us: Option<f64>,
    pub(crate) seconds: f64,
}

/// All measurements of a run, in memory and on disk.
pub(crate) struct Raw {
    records: Vec<Record>,
    file: File,
}

/// The name of the file in the folder of a run.
const NAME: &str = "raw.jsonl";

// === impl Raw ===

impl Raw {
    /// Creates an empty file in this folder, which is created if it is missing.
    pub(crate) fn create(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a folder for the results");
        let file = File::create(folder.join(NAME)).expect("a file for the results");
        Self { records: Vec::new(), file }
    }

    pub(crate) fn add(&mut self, row: &str, round: u32, variant: &str, sample: Sample) {
        let (row, variant, unit) = (row.to_owned(), variant.to_owned(), sample.unit.to_owned());
        let Sample { value, cpu_us, seconds, .. } = sample;
        let record = Record { row, round, variant, value, unit, cpu_us, seconds };
        let mut line = serde_json::to_string(&record).expect("a record as JSON");
        line.push('\n');
        self.file.write_all(line.as_bytes()).expect("to write results");
        self.records.push(record);
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }
}

/// Reads the records in a folder.
pub(crate) fn read(folder: &Path) -> Vec<Record> {
    let path = folder.join(NAME);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}
