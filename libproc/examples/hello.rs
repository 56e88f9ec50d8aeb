//! A first process: it is told, it is asked, it waits, and it stops.
//!
//!     cargo run -p libproc --example hello

use std::time::Duration;

use libproc::prelude::*;

protocol! {
    /// What a greeter accepts.
    pub protocol Greeting {
        /// Be polite to this one from now on.
        message Meet { name: String };
        /// The reply is a greeting for everybody met so far.
        message Greet {} -> String;
        /// Say goodbye, after a while.
        message Leave {};
    }
}

/// Remembers whom it has met.
#[derive(Default)]
struct Greeter {
    met: Vec<String>,
}

impl Actor for Greeter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        println!("I am {}", ctx.upid());
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        println!("Goodbye, {}", self.met.join(" and "));
    }
}

impl Process for Greeter {
    type Protocol = Greeting;
}

impl Handler<Meet> for Greeter {
    type Result = ();
    fn handle(&mut self, Meet { name }: Meet, _: &mut Context<Self>) {
        self.met.push(name);
    }
}

impl Handler<Greet> for Greeter {
    type Result = String;
    fn handle(&mut self, _: Greet, _: &mut Context<Self>) -> String {
        format!("Hello, {}", self.met.join(" and "))
    }
}

impl Handler<Leave> for Greeter {
    type Result = ();
    fn handle(&mut self, _: Leave, ctx: &mut Context<Self>) {
        // A handler never sleeps: it leaves word for later.
        ctx.after(Duration::from_millis(50), |_, ctx| ctx.stop());
    }
}

fn main() -> std::io::Result<()> {
    libproc::run(async {
        let node = Node::bind("127.0.0.1:0").await?;
        let greeter = node.spawn("greeter", Greeter::default());
        for name in ["Ada", "Edsger"] {
            let name = name.to_owned();
            node.tell(&greeter, Meet { name });
        }
        match node.ask(&greeter, Greet {}).await {
            Ok(greeting) => println!("{greeting}"),
            Err(error) => println!("no greeting: {error}"),
        }
        node.tell(&greeter, Leave {});
        let reason = node.exit_of(greeter.upid()).await;
        println!("The greeter has {reason}");
        let late = node.ask(&greeter, Greet {}).await;
        println!("Asked again: {}", late.expect_err("nobody is there"));
        node.shutdown().await;
        Ok(())
    })
}
