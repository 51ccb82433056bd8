//! A stream that tells how far it is and ends when the run is asked to stop.

use std::io::{self, Read};

use crate::event::{ImageEvent, ImageStep};
use crate::image_run::ImageRun;

/// Bytes between two reports.
const REPORT: u64 = 8 * 1024 * 1024;

/// The stream.
pub(super) struct WatchedReader<R> {
    inner: R,
    run: ImageRun,
    /// Which layer it is, for people; none to tell nothing.
    layer: Option<(String, String)>,
    done: u64,
    of: u64,
    told: u64,
}

impl<R: Read> WatchedReader<R> {
    /// A stream of `of` bytes. `layer` is the id and the name of what is read.
    pub fn new(inner: R, run: ImageRun, layer: Option<(String, String)>, of: u64) -> Self {
        Self { inner, run, layer, done: 0, of, told: 0 }
    }

    fn tell(&mut self) {
        self.told = self.done;
        if let Some((id, name)) = &self.layer {
            self.run.events.tell(ImageEvent::LayerProgress {
                step: ImageStep::Scan,
                id: id.clone(),
                name: name.clone(),
                done_bytes: self.done,
                of_bytes: self.of.max(self.done),
                note: None,
            });
        }
    }
}

impl<R: Read> Read for WatchedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.run.is_cancelled() {
            return Err(io::Error::other("the scan was asked to stop"));
        }
        let count = self.inner.read(buffer)?;
        self.done += count as u64;
        if self.done >= self.told + REPORT || (count == 0 && self.told < self.done) {
            self.tell();
        }
        Ok(count)
    }
}
