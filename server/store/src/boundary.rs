//! The moments between which a process may die: whoever watches is told each of them, before and after every commit.

use std::fmt;
use std::sync::Arc;

/// Told the name of a moment.
type Watcher = dyn Fn(&str) + Send + Sync;

/// Tells each moment as it passes; a crash test ends the process in it.
#[derive(Clone, Default)]
pub struct Boundary(Option<Arc<Watcher>>);

impl Boundary {
    /// Tells `watcher`.
    pub fn told(watcher: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watcher)))
    }

    /// A moment passes.
    pub fn pass(&self, moment: &str) {
        if let Some(watcher) = &self.0 {
            watcher(moment);
        }
    }
}

impl fmt::Debug for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Boundary(watched)" } else { "Boundary" })
    }
}
