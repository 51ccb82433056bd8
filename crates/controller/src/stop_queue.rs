//! The tasks that people let the daemon stop: a short queue, which the daemon's own thread works off in order.
//!
//! ECS is asked about the task each time, because what the daemon saw last may be a minute old. Who may stop a
//! task is no question here.

use std::time::Duration;

use fargate_driver::daemon::ListedTask;
use fargate_model::id::TaskArn;
use fargate_model::text::error_chain;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::host_tasks::HostTasks;
use crate::reap_error::ReaperSettings;

/// Most orders that wait. Ours: people stop tasks, one at a time.
const MOST_ORDERS: usize = 16;
/// Time to find a task, and to stop it. Ours: both fit into the time of an answer over HTTP.
const ORDER_TIME: Duration = Duration::from_secs(4);
/// Longest text of AWS that is repeated, in characters.
const LONGEST_TEXT: usize = 1024;
/// Hexadecimal digits of a task's id on ECS. It refuses requests with other ids.
const ID_DIGITS: usize = 32;

/// What an id names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedTask {
    /// A live task of this host.
    Live(Box<ListedTask>),
    /// A task of this host that has stopped.
    Over(TaskArn),
    /// No task of this host.
    Unknown,
}

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StopOrderError {
    /// The daemon has ended.
    #[error("this service looks after no tasks now")]
    NoDaemon,
    /// Too many orders wait.
    #[error("{MOST_ORDERS} orders to stop a task wait, which is the limit")]
    ManyOrders,
    /// ECS could not be asked, or refused: its words.
    #[error("{0}")]
    Refused(String),
}

type OrderReply<T> = oneshot::Sender<Result<T, StopOrderError>>;

/// What the daemon is asked for.
#[derive(Debug)]
pub(crate) enum StopOrder {
    Find { task_id: String, reply: OrderReply<NamedTask> },
    Stop { task: Box<ListedTask>, who: String, reply: OrderReply<()> },
}

/// Where orders are placed. Clones share the queue.
#[derive(Clone, Debug)]
pub struct StopQueue {
    orders: mpsc::Sender<StopOrder>,
}

impl StopQueue {
    /// An empty queue, and where the daemon takes the orders.
    pub(crate) fn new() -> (Self, mpsc::Receiver<StopOrder>) {
        let (orders, taken) = mpsc::channel(MOST_ORDERS);
        (Self { orders }, taken)
    }

    /// Whether the daemon takes orders.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.orders.is_closed()
    }

    /// Finds the task with this id, the last part of its ARN.
    ///
    /// # Errors
    ///
    /// Returns [`StopOrderError`] if ECS cannot be asked.
    pub async fn find(&self, task_id: &str) -> Result<NamedTask, StopOrderError> {
        let is_digits = task_id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if task_id.len() != ID_DIGITS || !is_digits {
            return Ok(NamedTask::Unknown);
        }
        let task_id = task_id.to_owned();
        self.place(|reply| StopOrder::Find { task_id, reply }).await
    }

    /// Tells ECS to stop this task. It may be stopped already.
    ///
    /// # Errors
    ///
    /// Returns [`StopOrderError`] if ECS did not accept it.
    pub async fn stop(&self, task: Box<ListedTask>, who: &str) -> Result<(), StopOrderError> {
        let who = who.to_owned();
        self.place(|reply| StopOrder::Stop { task, who, reply }).await
    }

    /// Places an order and waits for its end. Each order has a deadline; one for which nobody waits is dropped.
    async fn place<T>(
        &self,
        order: impl FnOnce(OrderReply<T>) -> StopOrder,
    ) -> Result<T, StopOrderError> {
        let (reply, replied) = oneshot::channel();
        self.orders.try_send(order(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StopOrderError::ManyOrders,
            mpsc::error::TrySendError::Closed(_) => StopOrderError::NoDaemon,
        })?;
        replied.await.unwrap_or(Err(StopOrderError::NoDaemon))
    }
}

/// Carries out orders, one after the other. Never ends.
pub(crate) async fn carry_out(settings: ReaperSettings, mut orders: mpsc::Receiver<StopOrder>) {
    let mut desk = OrderDesk { settings, host: None };
    while let Some(order) = orders.recv().await {
        match order {
            StopOrder::Find { reply, .. } if reply.is_closed() => {}
            StopOrder::Stop { reply, .. } if reply.is_closed() => {}
            StopOrder::Find { task_id, reply } => {
                // Whoever does not wait any more misses the answer only.
                let _ = reply.send(desk.find(&task_id).await);
            }
            StopOrder::Stop { task, who, reply } => {
                let _ = reply.send(desk.stop(&task, &who).await);
            }
        }
    }
    std::future::pending().await
}

/// Who carries orders out. It connects to ECS at the first one.
struct OrderDesk {
    settings: ReaperSettings,
    host: Option<HostTasks>,
}

impl OrderDesk {
    async fn host(&mut self) -> Result<&HostTasks, StopOrderError> {
        if self.host.is_none() {
            let opened = HostTasks::open(self.settings.clone()).await;
            let refused = |error| StopOrderError::Refused(error_chain(&error));
            self.host = Some(opened.map_err(refused)?);
        }
        let host = self.host.as_mut().ok_or(StopOrderError::NoDaemon)?;
        host.reach().await;
        Ok(host)
    }

    async fn find(&mut self, task_id: &str) -> Result<NamedTask, StopOrderError> {
        let masker = self.settings.masker.clone();
        let finding = async {
            let found = self.host().await?.named(task_id, Instant::now() + ORDER_TIME).await;
            found.map_err(|words| {
                StopOrderError::Refused(format!(
                    "looking for the task: {}",
                    masker.within(&words, LONGEST_TEXT)
                ))
            })
        };
        timeout(ORDER_TIME, finding).await.unwrap_or_else(|_| Err(late("nothing was stopped")))
    }

    async fn stop(&mut self, task: &ListedTask, who: &str) -> Result<(), StopOrderError> {
        let masker = self.settings.masker.clone();
        let stopping = async {
            let stopped = self.host().await?.stop(task, who).await;
            stopped.map_err(|error| {
                let words = masker.within(&error.to_string(), LONGEST_TEXT);
                StopOrderError::Refused(format!("stopping the task: {words}"))
            })
        };
        timeout(ORDER_TIME, stopping)
            .await
            .unwrap_or_else(|_| Err(late("ECS may stop the task all the same")))
    }
}

fn late(and: &str) -> StopOrderError {
    let within = ORDER_TIME.as_secs();
    StopOrderError::Refused(format!("ECS did not answer within {within} s; {and}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5a7c1e90d1f24f0f8e6b3c2a19d4e7f0";

    #[tokio::test]
    async fn a_queue_is_short_and_ends_with_its_daemon() {
        let (queue, mut orders) = StopQueue::new();
        assert_eq!(queue.find("5a7c1e90").await, Ok(NamedTask::Unknown), "not the whole id");
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..MOST_ORDERS {
            let queue = queue.clone();
            waiting.spawn(async move { queue.find(ID).await });
        }
        while orders.len() < MOST_ORDERS {
            tokio::task::yield_now().await;
        }
        assert_eq!(queue.find(ID).await, Err(StopOrderError::ManyOrders));
        orders.close();
        drop(orders);
        while let Some(answer) = waiting.join_next().await {
            assert_eq!(answer.unwrap(), Err(StopOrderError::NoDaemon));
        }
        assert!(!queue.is_open());
        assert_eq!(queue.find(ID).await, Err(StopOrderError::NoDaemon));
    }
}
