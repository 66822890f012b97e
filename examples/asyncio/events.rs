//! Events and conditions. Both are in bits/: smol has the crate event-listener to build them from.

use std::rc::Rc;
use std::time::Duration;

use async_lock::Mutex;
use smol_servers::Timer;

use crate::bits::{self, Condition, Event};
use crate::python::truth;
use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[
    task!(event, "a flag that tasks wait for"),
    task!(condition, "some of those that wait, then all"),
    task!(gate, "an event that is cleared again"),
    task!(work_on_event, "workers that wait for an event"),
];

/// For a flag that is set once, `OnceCell<()>` will do. An event that can be cleared is a `Cell<bool>`
/// and an `event_listener::Event`, which wakes those that wait.
pub async fn event(ex: Ex) {
    let event = Rc::new(Event::default());
    println!("event start state: {}", truth(event.is_set()));
    ex.spawn(set_later(event.clone(), 100, "setting event in callback")).detach();
    let tasks = ["coro2", "coro1"].map(|name| {
        let event = event.clone();
        ex.spawn(async move {
            println!("{name} waiting for event");
            event.wait().await;
            println!("{name} triggered");
        })
    });
    bits::gather(tasks).await;
    println!("event and state: {}", truth(event.is_set()));
}

async fn set_later(event: Rc<Event>, millis: u64, message: &str) {
    Timer::after(Duration::from_millis(millis)).await;
    println!("{message}");
    event.set();
}

/// asyncio's Condition contains its lock; here the two are apart, as in std, and `wait` takes the
/// guard and gives it back. To notify, nobody needs to hold the lock.
pub async fn condition(ex: Ex) {
    let shared = Rc::new((Mutex::new(()), Condition::default()));
    println!("starting manipulate_condition");
    let consumers = [2, 3, 0, 4, 1].map(|n| ex.spawn(consumer(n, shared.clone())));
    for count in 1..3 {
        Timer::after(Duration::from_millis(100)).await;
        println!("notifying {count} consumers");
        shared.1.notify(count);
    }
    Timer::after(Duration::from_millis(100)).await;
    println!("notifying remaining consumers");
    shared.1.notify_all();
    println!("ending manipulate_condition");
    bits::gather(consumers).await;
}

async fn consumer(n: u32, shared: Rc<(Mutex<()>, Condition)>) {
    let (lock, condition) = &*shared;
    let guard = lock.lock().await;
    println!("consumer {n} is waiting");
    let _guard = condition.wait(guard).await;
    println!("consumer {n} triggered");
    println!("ending consumer {n}");
}

/// All that wait are woken by one `set`, and work at the same time.
pub async fn work_on_event(ex: Ex) {
    let event = Rc::new(Event::default());
    ex.spawn(set_later(event.clone(), 5_000, "Активируется событие!")).detach();
    let workers = [(); 2].map(|()| {
        let event = event.clone();
        ex.spawn(async move {
            println!("Ожидаю события...");
            event.wait().await;
            println!("Работаю!");
            Timer::after(Duration::from_secs(1)).await;
            println!("Работа закончена!");
        })
    });
    bits::gather(workers).await;
}

/// A worker that asks before each piece of work can be held up: `clear` closes the gate.
pub async fn gate(ex: Ex) {
    let gate = Rc::new(Event::default());
    let open = gate.clone();
    let worker = ex.spawn(async move {
        for n in 1..=3 {
            open.wait().await;
            println!("working on {n}");
            Timer::after(Duration::from_secs(1)).await;
        }
    });
    gate.set();
    Timer::after(Duration::from_millis(1_500)).await;
    println!("closing the gate");
    gate.clear();
    Timer::after(Duration::from_secs(3)).await;
    println!("opening the gate");
    gate.set();
    worker.await;
}
