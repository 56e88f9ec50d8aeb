//! An ordinary actix actor beside a process: each sends to the other, on the same arbiters.
//!
//! The actor keeps its `Addr`, its mailbox and actix's context; the process has an address that
//! other nodes can use. Neither blocks the other.
//!
//!     cargo run -p libproc --example beside_actix

use libproc::prelude::*;

protocol! {
    /// What a thermometer accepts.
    pub protocol Measuring {
        /// The reply is the temperature, in tenths of a degree.
        message Read {} -> i32;
        /// Something warmed it, or cooled it.
        message Warm { by: i32 };
    }
}

/// The process: anybody may read it, from any node.
struct Thermometer {
    tenths: i32,
    /// Whom to tell of every change: an actor that has no address.
    display: actix::Addr<Display>,
}

impl Actor for Thermometer {
    type Context = Context<Self>;
}

impl Process for Thermometer {
    type Protocol = Measuring;
}

impl Handler<Read> for Thermometer {
    type Result = i32;
    fn handle(&mut self, _: Read, _: &mut Context<Self>) -> i32 {
        self.tenths
    }
}

impl Handler<Warm> for Thermometer {
    type Result = ();
    fn handle(&mut self, Warm { by }: Warm, _: &mut Context<Self>) {
        self.tenths += by;
        self.display.do_send(Show(self.tenths));
    }
}

/// The actor: plain actix, with actix's own context.
struct Display {
    shown: usize,
}

impl Actor for Display {
    type Context = actix::Context<Self>;
}

/// A message of actix: it is in no protocol and never leaves the OS process.
struct Show(i32);

impl Message for Show {
    type Result = ();
}

impl Handler<Show> for Display {
    type Result = ();
    fn handle(&mut self, Show(tenths): Show, _: &mut actix::Context<Self>) {
        self.shown += 1;
        println!("display: {:.1} degrees", f64::from(tenths) / 10.0);
    }
}

/// A message of actix that makes the actor use a process: it needs a node to send from.
struct Heat {
    node: Node,
    thermometer: Pid<Measuring>,
    by: i32,
}

impl Message for Heat {
    type Result = ();
}

impl Handler<Heat> for Display {
    type Result = ResponseFuture<()>;
    fn handle(&mut self, heat: Heat, _: &mut actix::Context<Self>) -> ResponseFuture<()> {
        heat.node.tell(&heat.thermometer, Warm { by: heat.by });
        let read = heat.node.ask(&heat.thermometer, Read {});
        Box::pin(async move {
            if let Ok(tenths) = read.await {
                println!("display: I asked, and it is {tenths} tenths");
            }
        })
    }
}

/// How many values were shown.
struct Shown;

impl Message for Shown {
    type Result = usize;
}

impl Handler<Shown> for Display {
    type Result = usize;
    fn handle(&mut self, _: Shown, _: &mut actix::Context<Self>) -> usize {
        self.shown
    }
}

fn main() -> std::io::Result<()> {
    libproc::run(async {
        let node = Node::bind("127.0.0.1:0").await?;
        let display = Display { shown: 0 }.start();
        let tenths = 200;
        let thermometer = node.spawn(
            "thermometer",
            Thermometer {
                tenths,
                display: display.clone(),
            },
        );
        for by in [5, -12] {
            node.tell(&thermometer, Warm { by });
        }
        let heat = Heat {
            node: node.clone(),
            thermometer,
            by: 30,
        };
        display.send(heat).await.map_err(std::io::Error::other)?;
        let shown = display.send(Shown).await.map_err(std::io::Error::other)?;
        println!("{shown} values were shown");
        node.shutdown().await;
        Ok(())
    })
}
