//! Work that blocks: on threads made for it, never on a worker's.

/// Runs `work` on a thread for work that blocks, and gives what it returns.
///
/// Hand the future to [`Context::defer`](crate::Context::defer): the result comes back as a letter,
/// and a panic of `work` ends the process, as one in a handler would. In a simulation, where
/// threads would decide what cannot be replayed, `work` runs on the simulation's own thread.
///
/// ```
/// use libproc::prelude::*;
/// # protocol! { pub protocol Reading { message Read { path: String }; } }
/// # #[derive(Default)] struct Reader { text: String }
/// # impl Actor for Reader { type Context = Context<Self>; }
/// # impl Process for Reader { type Protocol = Reading; }
/// impl Handler<Read> for Reader {
///     type Result = ();
///     fn handle(&mut self, Read { path }: Read, ctx: &mut Context<Self>) {
///         let reading = libproc::blocking(|| std::fs::read_to_string(path));
///         ctx.defer(reading, |this, read, _| this.text = read.unwrap_or_default());
///     }
/// }
/// ```
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    if crate::net::in_simulation() {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is going down, and the process with it.
        Err(_) => std::future::pending().await,
    }
}
