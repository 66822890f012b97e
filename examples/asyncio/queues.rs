//! Queues: a channel is one, with an end to put into and an end to get from.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use async_channel::bounded;
use futures_lite::future::yield_now;
use smol_servers::Timer;

use crate::bits::{self, LifoQueue, PriorityQueue, Queue};
use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[
    task!(queue, "a producer, two consumers, and join"),
    task!(workers, "three workers share the work"),
    task!(priority_queue, "the smallest first"),
    task!(lifo_queue, "the newest first"),
];

/// Room for two: `put` waits until a consumer has taken one. What a channel lacks is `join`, and
/// [`Queue`] adds it. The stop signal is a `None` for each consumer; "workers" does without.
pub async fn queue(ex: Ex) {
    let queue = Rc::new(Queue::new(2));
    let consumers = [0, 1].map(|n| ex.spawn(consumer(n, queue.clone())));
    let producer = ex.spawn(producer(consumers.len(), queue));
    bits::gather(consumers).await;
    producer.await;
}

async fn producer(consumers: usize, queue: Rc<Queue<Option<u64>>>) {
    println!("producer: starting");
    for i in 0..3 * consumers as u64 {
        queue.put(Some(i)).await;
        println!("producer: added task {i} to the queue");
    }
    println!("producer: adding stop signals to the queue");
    for _ in 0..consumers {
        queue.put(None).await;
    }
    println!("producer: waiting for queue to empty");
    queue.join().await;
    println!("producer: ending");
}

async fn consumer(n: u32, queue: Rc<Queue<Option<u64>>>) {
    println!("consumer {n}: starting");
    loop {
        println!("consumer {n}: waiting for item");
        let item = queue.get().await;
        println!("consumer {n}: has item {}", item.map_or("None".to_owned(), |i| i.to_string()));
        let Some(item) = item else { break };
        // asyncio.sleep lets others run for 0 s too; Timer::after does not.
        yield_now().await;
        Timer::after(Duration::from_millis(10 * item)).await;
        queue.task_done();
    }
    queue.task_done();
    println!("consumer {n}: ending");
}

/// Endless workers need no `join` and no stop signal: when the last sender is dropped, each receiver
/// reads what is left, and then an error, which is the end. (CPython has it as `shutdown()` since
/// 3.13.)
pub async fn workers(ex: Ex) {
    let (sender, receiver) = bounded(20);
    let workers = [0, 1, 2].map(|n| {
        let receiver = receiver.clone();
        ex.spawn(async move {
            while let Ok(millis) = receiver.recv().await {
                Timer::after(Duration::from_millis(millis)).await;
                println!("worker-{n} has slept for {:.2} seconds", millis as f64 / 1000.0);
            }
        })
    });
    // As if by chance, but the same each time: 50 ms to 1 s.
    for i in 1..=20 {
        sender.send(50 + i * 370 % 960).await.expect("the workers listen");
    }
    drop(sender);
    bits::gather(workers).await;
}

/// Derived comparison goes by the fields in order, as with `@dataclass(order=True)`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct WorkItem {
    priority: u32,
    order: u32,
    data: &'static str,
}

impl fmt::Display for WorkItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WorkItem { priority, order, data } = self;
        write!(f, "WorkItem(priority={priority}, order={order}, data='{data}')")
    }
}

fn work_items() -> [WorkItem; 5] {
    [
        WorkItem { priority: 3, order: 1, data: "Lowest priority" },
        WorkItem { priority: 3, order: 2, data: "Lowest priority second" },
        WorkItem { priority: 3, order: 3, data: "Lowest priority third" },
        WorkItem { priority: 2, order: 4, data: "Medium priority" },
        WorkItem { priority: 1, order: 5, data: "High priority" },
    ]
}

/// A channel knows one order, first in, first out. For another, take a collection and an
/// `event_listener::Event`, which wakes those that wait. Without a bound, `put` never waits and is no
/// async fn.
pub async fn priority_queue(ex: Ex) {
    let queue = Rc::new(PriorityQueue::new());
    let worker = queue.clone();
    pass_work_items(&ex, |item| queue.put(item), async move || worker.get().await).await;
}

/// The same with a `Vec`, which is a stack.
pub async fn lifo_queue(ex: Ex) {
    let queue = Rc::new(LifoQueue::new());
    let worker = queue.clone();
    pass_work_items(&ex, |item| queue.put(item), async move || worker.get().await).await;
}

/// A worker waits for the items before they are put, and prints each that it gets.
async fn pass_work_items(
    ex: &Ex,
    put: impl Fn(WorkItem),
    get: impl AsyncFn() -> WorkItem + 'static,
) {
    let items = work_items();
    let count = items.len();
    let worker = ex.spawn(async move {
        for _ in 0..count {
            println!("{}", get().await);
        }
    });
    // The worker comes to its `get`, and waits there.
    yield_now().await;
    items.into_iter().for_each(put);
    worker.await;
}
