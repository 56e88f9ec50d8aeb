//! Links between the hosts of a world: cut, held, slow, and well again.

use std::time::Duration;

use super::LATENCY;
use super::world::{Order, World};

/// Links.
impl World {
    /// Cuts the link between two hosts: what is under way and what is sent vanishes, and no
    /// connection is refused or reset. A node notices by the silence of its peer.
    ///
    /// Packets that vanish are not sent again, as real ones are: a connection that lost one stays
    /// silent also when the link is repaired, until the nodes give it up.
    pub fn partition(&self, a: &str, b: &str) {
        self.deed(format_args!("partition {a} | {b}"));
        turmoil::partition(a, b);
    }

    /// Cuts what `from` sends to `to`, and not what comes back.
    pub fn partition_one_way(&self, from: &str, to: &str) {
        self.deed(format_args!("partition {from} -> {to}"));
        turmoil::partition_oneway(from, to);
    }

    /// Undoes partitions of a link, in both directions.
    pub fn repair(&self, a: &str, b: &str) {
        self.deed(format_args!("repair {a} | {b}"));
        turmoil::repair(a, b);
    }

    /// Holds back all that is under way and is sent between two hosts, until it is
    /// [released](World::release): nothing is lost unless a node loses patience.
    pub fn hold(&self, a: &str, b: &str) {
        self.deed(format_args!("hold {a} | {b}"));
        turmoil::hold(a, b);
    }

    /// Delivers what was held back, at once and in order.
    pub fn release(&self, a: &str, b: &str) {
        self.deed(format_args!("release {a} | {b}"));
        turmoil::release(a, b);
    }

    /// Ends the connection between the nodes of two hosts, as a reset would; they may connect again
    /// at once. Nothing happens where one of them is not up.
    pub fn reset(&self, a: &str, b: &str) {
        if let (Some(a_node), Some(b_node)) = (self.node_if_up(a), self.node_if_up(b)) {
            self.deed(format_args!("reset {a} | {b}"));
            a_node.sever(b_node.address());
        }
    }

    /// Makes packets between two hosts take up to `longest`; they take up to 10 ms otherwise.
    /// Packets of different connections overtake each other.
    pub async fn slow_down(&self, a: &str, b: &str, longest: Duration) {
        self.deed(format_args!("slow {a} | {b}: up to {longest:?}"));
        self.mark(a, b);
        let order = Order::Latency(a.to_owned(), b.to_owned(), longest);
        self.order(order).await;
    }

    /// Makes a link lose each packet with this probability, and with it whatever else is under way
    /// on the link. The connections that lost something fall silent: see
    /// [`partition`](World::partition).
    ///
    /// # Panics
    /// When `rate` is not between 0 and 1.
    pub async fn lose(&self, a: &str, b: &str, rate: f64) {
        assert!((0.0..=1.0).contains(&rate), "{rate} is no probability");
        self.deed(format_args!("lose {a} | {b}: {rate}"));
        self.mark(a, b);
        self.order(Order::Loss(a.to_owned(), b.to_owned(), rate))
            .await;
    }

    /// Makes a link as fast as at first, and has it lose nothing.
    pub async fn speed_up(&self, a: &str, b: &str) {
        let link = (a.to_owned(), b.to_owned());
        if self.0.bad.borrow_mut().remove(&link) {
            self.deed(format_args!("speed up {a} | {b}"));
            let latency = Order::Latency(a.to_owned(), b.to_owned(), LATENCY.1);
            self.order(latency).await;
            self.order(Order::Loss(link.0, link.1, 0.0)).await;
        }
    }

    fn mark(&self, a: &str, b: &str) {
        let link = (a.to_owned(), b.to_owned());
        self.0.bad.borrow_mut().insert(link);
    }

    /// Undoes all that befell links: they are well, and as fast as at first.
    pub async fn mend(&self) {
        self.deed("mend all links");
        let hosts = self.hosts();
        for (index, a) in hosts.iter().enumerate() {
            for b in &hosts[index + 1..] {
                turmoil::release(a.as_str(), b.as_str());
                turmoil::repair(a.as_str(), b.as_str());
            }
        }
        let bad = self.0.bad.borrow().clone();
        for (a, b) in bad {
            self.speed_up(&a, &b).await;
        }
    }

    /// Undoes all faults: [mends](World::mend) all links, and starts crashed hosts again.
    pub async fn heal(&self) {
        self.mend().await;
        for host in self.hosts() {
            self.bounce(&host).await;
        }
    }
}
