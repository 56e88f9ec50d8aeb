//! What a queue of jobs can be asked, by letters: what `tepui jobs` says.

use api::agent::{Chunk, FileEntry};
use libproc::protocol;

use crate::ids::{JobId, Target};
use crate::job::App;
use crate::spec::Spec;
use crate::view::{JobView, Page, Query};

/// The process that serves a queue on its node.
pub const JOBS: &str = "jobs";
/// The port of a queue's node, where nothing else is said.
pub const JOBS_PORT: u16 = 9_090;

protocol! {
    /// What a queue of jobs can be asked. Whatever it answers is kept: true after any crash.
    pub protocol Jobbing {
        /// Take these jobs in, all of them or none; answered by their names, in the same order, or
        /// why not.
        message Submit { jobs: Vec<Spec> } -> Result<Vec<JobId>, String>;
        /// A page of jobs, the newest first.
        message List { query: Query } -> Result<Page, String>;
        /// A job with its runs, or one index of an array.
        message Show { target: Target } -> Result<JobView, String>;
        /// End a job, or one index of an array; answered by how many runs had not ended.
        message Kill { target: Target } -> Result<u64, String>;
        /// A part of a file of a run, also after its end, until its agent collects it.
        message ReadOutput { target: Target, path: String, offset: u64, length: u32 }
            -> Result<Chunk, String>;
        /// What lies in a directory of a run; an empty path is where it runs.
        message ListOutput { target: Target, path: String } -> Result<Vec<FileEntry>, String>;
        /// The applications.
        message Apps {} -> Result<Vec<App>, String>;
        /// Set an application.
        message PutApp { app: App } -> Result<(), String>;
        /// Forget an application; answered by whether there was one.
        message RemoveApp { id: String } -> Result<bool, String>;
    }
}
