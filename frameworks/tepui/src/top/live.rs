//! The live screen: looks again and again, listens to keys, and leaves the terminal as it was.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::panic;
use std::time::Duration;

use anyhow::{Context as _, Result};
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen,
};
use crossterm::{execute, queue};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::feed::{self, Feed, Wanted};
use super::screen::{Line, Look, cut, node_lines, table};
use super::view::{Sort, View, measured};
use crate::output;

/// Keys and looks that wait to be shown.
const WAITING: usize = 64;
/// Longest filter that can be typed, in characters: an id can be no longer.
const FILTER_MAX: usize = 255;
/// What the last line says.
const KEYS: &str = "b busy  h handled  m mailbox  / filter  p pause  ↑↓ scroll  q quit";

/// Shows a node until its user has seen enough.
///
/// # Errors
/// When the node does not answer at first, or there is no terminal any more.
pub(crate) async fn live(mut feed: Feed, wanted: Wanted, interval: Duration) -> Result<()> {
    let name = feed.name().to_owned();
    let first = feed.look(&wanted).await?; // said without a screen when nobody answers
    let (ask, asked) = watch::channel(wanted.clone());
    let (sender, mut looks) = mpsc::channel(1);
    tokio::task::spawn_local(look(feed, asked, interval, sender));
    let mut keys = keys();
    let mut ended = std::pin::pin!(told_to_end());
    let mut model = Model::new(name, wanted, first);
    let screen = Screen::enter()?;
    loop {
        screen.draw(&mut model)?;
        tokio::select! {
            look = looks.recv() => match look {
                Some(look) => model.looked(look),
                None => return Ok(()),
            },
            event = keys.recv() => match event {
                Some(Event::Key(key)) => if !model.key(key) {
                    return Ok(());
                },
                Some(_) => {} // another size: drawn anew
                None => return Ok(()),
            },
            ended = &mut ended => return ended,
        }
        let asked = ask.borrow().clone();
        if asked != model.wanted {
            ask.send_replace(model.wanted.clone());
        }
    }
}

/// Waits for a signal that ends programs.
async fn told_to_end() -> Result<()> {
    let wait = |kind| signal(kind).context("could not wait for signals");
    let mut interrupt = wait(SignalKind::interrupt())?;
    let mut terminate = wait(SignalKind::terminate())?;
    let mut hangup = wait(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

/// Looks every `interval`, and at once when something else is wanted.
async fn look(
    mut feed: Feed,
    mut wanted: watch::Receiver<Wanted>,
    interval: Duration,
    looks: mpsc::Sender<(Wanted, Result<feed::Look>)>,
) {
    loop {
        let next = Instant::now() + interval;
        let asked = wanted.borrow_and_update().clone();
        let look = feed.look(&asked).await;
        if looks.send((asked, look)).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep_until(next) => {}
            changed = wanted.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

/// What is typed; read by a thread, which ends with the program.
fn keys() -> mpsc::Receiver<Event> {
    let (sender, keys) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(event).is_err() {
                return;
            }
        }
    });
    keys
}

/// What is on the screen, and how it came there.
struct Model {
    name: String,
    wanted: Wanted,
    /// The last two looks that were at the same processes.
    looks: VecDeque<feed::Look>,
    view: Option<View>,
    /// Why there is no newer view.
    trouble: Option<String>,
    paused: bool,
    /// The filter that is being typed.
    typing: Option<String>,
    scroll: usize,
    /// Rows of processes that fit on the screen.
    rows: usize,
}

impl Model {
    fn new(name: String, wanted: Wanted, first: feed::Look) -> Model {
        let mut model = Model {
            name,
            wanted: wanted.clone(),
            looks: VecDeque::new(),
            view: None,
            trouble: None,
            paused: false,
            typing: None,
            scroll: 0,
            rows: 1,
        };
        model.looked((wanted, Ok(first)));
        model
    }

    fn looked(&mut self, (asked, look): (Wanted, Result<feed::Look>)) {
        match look {
            Ok(_) if self.paused || asked != self.wanted => {} // another one will come
            Ok(look) => {
                self.trouble = None;
                self.looks.push_back(look);
                while self.looks.len() > 2 {
                    self.looks.pop_front();
                }
                self.measure();
            }
            Err(error) => self.trouble = Some(format!("{error:#}")),
        }
    }

    fn measure(&mut self) {
        if let (Some(before), Some(now)) = (self.looks.front(), self.looks.back()) {
            self.view = Some(measured(before, now, self.wanted.sort));
        }
    }

    /// Does what a key says; false when it says to quit.
    fn key(&mut self, key: KeyEvent) -> bool {
        if key.kind == KeyEventKind::Release {
            return true;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control {
            return !matches!(key.code, KeyCode::Char('c' | 'd'));
        }
        if let Some(typing) = self.typing.take() {
            self.type_filter(typing, key.code);
            return true;
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return false,
            KeyCode::Char('b') => self.sort_by(Sort::Busy),
            KeyCode::Char('m') => self.sort_by(Sort::Mailbox),
            KeyCode::Char('h') => self.sort_by(Sort::Handled),
            KeyCode::Char('/') => self.typing = Some(self.wanted.prefix.clone()),
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Down | KeyCode::Char('j') => self.scroll += 1,
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageDown => self.scroll += self.rows,
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(self.rows),
            KeyCode::Home => self.scroll = 0,
            _ => {}
        }
        true
    }

    fn type_filter(&mut self, mut typing: String, key: KeyCode) {
        match key {
            KeyCode::Esc => return,
            KeyCode::Enter => {
                self.wanted.prefix = typing;
                self.scroll = 0;
                return;
            }
            KeyCode::Backspace => drop(typing.pop()),
            KeyCode::Char(c) if typing.chars().count() < FILTER_MAX => typing.push(c),
            _ => {}
        }
        self.typing = Some(typing);
    }

    fn sort_by(&mut self, sort: Sort) {
        self.wanted.sort = sort;
        self.scroll = 0;
        self.measure();
    }

    /// The lines of a screen of this size.
    fn lines(&mut self, width: usize, height: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some(view) = &self.view {
            lines.extend(node_lines(&view.node, &self.name));
            let mut table = table(&view.processes, self.wanted.sort, width).into_iter();
            lines.extend(table.next());
            self.rows = height.saturating_sub(lines.len() + 1).max(1);
            let most = view.processes.len().saturating_sub(self.rows);
            self.scroll = self.scroll.min(most);
            lines.extend(table.skip(self.scroll).take(self.rows));
        }
        lines.truncate(height.saturating_sub(1));
        lines.resize(height.saturating_sub(1), Line::new(Look::Plain, ""));
        lines.push(self.last_line());
        for line in &mut lines {
            line.text = cut(&line.text, width);
        }
        lines.truncate(height);
        lines
    }

    fn last_line(&self) -> Line {
        if let Some(typing) = &self.typing {
            return Line::new(Look::Plain, format!("ids that begin with: {typing}█"));
        }
        if let Some(trouble) = &self.trouble {
            return Line::new(Look::Bad, trouble.as_str());
        }
        let mut text = KEYS.to_owned();
        if self.paused {
            text = format!("PAUSED  {text}");
        }
        if !self.wanted.prefix.is_empty() {
            text = format!("only {}…  {text}", self.wanted.prefix);
        }
        Line::new(Look::Faint, text)
    }
}

/// The terminal, taken over; given back when it is dropped, and before a panic is told.
struct Screen;

impl Screen {
    fn enter() -> Result<Screen> {
        terminal::enable_raw_mode().context("could not take over the terminal")?;
        let screen = Screen;
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            leave();
            tell(panic);
        }));
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    fn draw(&self, model: &mut Model) -> Result<()> {
        let (width, height) = terminal::size()?;
        let mut out = io::stdout().lock();
        queue!(out, BeginSynchronizedUpdate)?;
        let lines = model.lines(usize::from(width), usize::from(height));
        for (row, Line { look, text }) in (0..height).zip(lines) {
            queue!(out, MoveTo(0, row))?;
            match look {
                Look::Plain => {}
                Look::Heading => queue!(out, SetAttribute(Attribute::Reverse))?,
                Look::Faint => queue!(out, SetAttribute(Attribute::Dim))?,
                Look::Bad if output::has_colours() => queue!(out, SetForegroundColor(Color::Red))?,
                Look::Bad => queue!(out, SetAttribute(Attribute::Bold))?,
            }
            queue!(out, Print(text), SetAttribute(Attribute::Reset), ResetColor)?;
            queue!(out, Clear(ClearType::UntilNewLine))?;
        }
        queue!(out, EndSynchronizedUpdate)?;
        Ok(out.flush()?)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Gives the terminal back; where there is none any more, nothing is left to do.
fn leave() {
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    let _ = terminal::disable_raw_mode();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::view::tests::looks;

    fn model() -> Model {
        let wanted = Wanted {
            sort: Sort::Busy,
            prefix: String::new(),
        };
        let [before, now] = looks();
        let mut model = Model::new("box:5050".into(), wanted.clone(), before);
        model.looked((wanted, Ok(now)));
        model
    }

    fn press(model: &mut Model, code: KeyCode) -> bool {
        model.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn texts(model: &mut Model, height: usize) -> Vec<String> {
        let lines = model.lines(100, height);
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_screen_has_as_many_lines_as_its_terminal() {
        let mut model = model();
        for height in [0, 1, 2, 4, 6, 24] {
            assert_eq!(texts(&mut model, height).len(), height);
        }
        let lines = texts(&mut model, 24);
        assert!(
            lines[0].starts_with("box:5050  up 1m") && lines[4].starts_with("b "),
            "{lines:#?}"
        );
        assert_eq!(lines[23], KEYS);
    }

    #[test]
    fn keys_sort_scroll_pause_and_quit() {
        let mut model = model();
        assert!(press(&mut model, KeyCode::Char('m')));
        assert!(texts(&mut model, 24)[4].starts_with("a "));
        press(&mut model, KeyCode::PageDown);
        let lines = texts(&mut model, 6);
        assert!(
            lines[4].starts_with("b "),
            "there is one row, and it shows the last: {lines:#?}"
        );
        press(&mut model, KeyCode::Char('p'));
        model.looked((model.wanted.clone(), Ok(looks()[0].clone())));
        let lines = texts(&mut model, 24);
        assert!(
            lines[23].starts_with("PAUSED") && lines[1].starts_with("500 "),
            "{lines:#?}"
        );
        model.looked((model.wanted.clone(), Err(anyhow::anyhow!("it has gone"))));
        assert_eq!(texts(&mut model, 24)[23], "it has gone");
        assert!(!press(&mut model, KeyCode::Char('q')) && !press(&mut model, KeyCode::Esc));
        assert!(!model.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    }

    #[test]
    fn a_filter_is_typed_and_looks_for_another_are_not_shown() {
        let mut model = model();
        for key in "/xq\u{8}".chars() {
            let code = if key == '\u{8}' {
                KeyCode::Backspace
            } else {
                KeyCode::Char(key)
            };
            assert!(press(&mut model, code));
        }
        assert!(texts(&mut model, 24)[23].ends_with("x█"));
        press(&mut model, KeyCode::Esc);
        assert_eq!(model.wanted.prefix, "");
        press(&mut model, KeyCode::Char('/'));
        press(&mut model, KeyCode::Char('a'));
        let old = model.wanted.clone();
        press(&mut model, KeyCode::Enter);
        assert_eq!(model.wanted.prefix, "a");
        let before = model.looks.len();
        model.looked((old, Ok(looks()[0].clone())));
        assert_eq!(model.looks.len(), before);
        assert!(texts(&mut model, 24)[23].starts_with("only a…"));
    }
}
