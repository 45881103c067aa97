//! Log lines on their way to standard error: collected in memory and written by a thread of their own, many in one write.
//!
//! A reader that does not read (a full pipe, a stuck log shipper) must not stop requests, and a write for each line would
//! cost a request more than its own work. When the buffer is full, lines are dropped and counted; the count is written as
//! soon as there is room.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bedplate_core::redact::Redactor;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that may wait.
const MOST: usize = 4 << 20;
/// How long lines are gathered before they are written.
const GATHER: Duration = Duration::from_millis(20);
/// How long the end of the process waits for the reader.
const FLUSH: Duration = Duration::from_secs(2);

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    dropped: u64,
    /// The thread is writing what it took.
    writing: bool,
    /// Somebody waits for the end.
    urgent: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// Makes writers for the subscriber; cheap to clone. What goes through it is free of secrets.
#[derive(Clone, Default)]
pub struct LogWriter {
    shared: Arc<Shared>,
    redactor: Redactor,
}

impl LogWriter {
    /// Starts the thread that writes to `out`.
    pub fn start(out: impl Write + Send + 'static, redactor: Redactor) -> io::Result<Self> {
        let writer = Self { shared: Arc::default(), redactor };
        let shared = Arc::clone(&writer.shared);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_on(out))?;
        Ok(writer)
    }

    /// Waits until everything is written, but not forever.
    pub fn flush(&self) {
        let until = Instant::now() + FLUSH;
        let mut state = self.shared.lock();
        state.urgent = true;
        self.shared.changed.notify_all();
        while state.writing || !state.waiting.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.waiting.len() + line.len() > MOST {
            state.dropped += 1;
            return;
        }
        let was_empty = state.waiting.is_empty();
        state.waiting.extend_from_slice(line);
        drop(state);
        if was_empty {
            self.changed.notify_all();
        }
    }

    fn write_on(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        loop {
            let mut state = self.lock();
            while state.waiting.is_empty() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if !state.urgent {
                // Lines of the next moments go with this one: one wake-up and one write for many requests.
                state = self.changed.wait_timeout(state, GATHER).unwrap_or_else(PoisonError::into_inner).0;
            }
            lines.clear();
            std::mem::swap(&mut state.waiting, &mut lines);
            let dropped = std::mem::take(&mut state.dropped);
            state.writing = true;
            drop(state);
            // Nobody can be told that the log cannot be written; the next lines are tried again.
            let _ = out.write_all(&lines);
            if dropped > 0 {
                let _ = writeln!(
                    out,
                    "{{\"level\":\"WARN\",\"message\":\"log lines dropped\",\"lines\":{dropped}}}"
                );
            }
            let _ = out.flush();
            self.lock().writing = false;
            self.changed.notify_all();
        }
    }
}

/// One line; the subscriber writes it in one call.
pub struct Line<'a>(&'a LogWriter);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The subscriber's lines are text; broken text would be nobody's secret.
        let text = String::from_utf8_lossy(bytes);
        self.0.shared.push(self.0.redactor.scrub(&text).as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl bedplate_http::LineSink for LogWriter {
    /// The access log's lines are clean already: they hold no text of callers but the path, which was seen to.
    fn line(&self, line: &[u8]) {
        self.shared.push(line);
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Takes nothing until it is told to.
    struct Stuck(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_does_not_read_stops_nobody() {
        let (go, stuck) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let writer = LogWriter::start(Stuck(stuck, Arc::clone(&written)), Redactor::default()).unwrap();
        let line = [b'x'; 1024];
        for _ in 0..3 * MOST / line.len() {
            writer.make_writer().write_all(&line).unwrap();
        }
        drop(go);
        writer.flush();
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(text.len() <= 2 * MOST + 1024);
        assert!(text.contains("log lines dropped"));
    }

    #[test]
    fn what_is_written_is_free_of_secrets() {
        let (go, stuck) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let writer = LogWriter::start(Stuck(stuck, Arc::clone(&written)), Redactor { emails: true }).unwrap();
        writer.make_writer().write_all(b"token=s3cret mail=a@b.test n=1\n").unwrap();
        drop(go);
        writer.flush();
        assert_eq!(written.lock().unwrap().as_slice(), b"token=*** mail=*** n=1\n");
    }
}
