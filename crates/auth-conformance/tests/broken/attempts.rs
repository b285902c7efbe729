//! Attempts with a defect.

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::ports::Attempts;
use auth_core::throttle::{Admission, Attempt, Bucket, Counter, Forgiveness};
use auth_core::time::UnixTime;

use super::{Broken, Defect, meanwhile};

impl Broken {
    /// Counts by itself, with one read and one write.
    async fn count(&self, attempts: &[Attempt], now: UnixTime) -> Admission {
        let counter = |attempt: &Attempt| self.counts.lock().unwrap().get(&attempt.bucket).copied();
        let decisions: Vec<_> = attempts.iter().map(|attempt| attempt.limit.count(counter(attempt), now)).collect();
        if self.has(Defect::AdmitsInTwoSteps) {
            meanwhile().await;
        }
        if let Some(wait) = decisions.iter().filter_map(|decision| decision.err()).max() {
            return Admission::Refused(wait);
        }
        let counted = decisions.into_iter().flatten();
        self.counts.lock().unwrap().extend(attempts.iter().map(|attempt| attempt.bucket.clone()).zip(counted));
        Admission::Admitted
    }

    fn named(&self, bucket: &Bucket) -> Bucket {
        match self.defect {
            Defect::BucketsFoldCase => Bucket::new(bucket.as_str().to_lowercase()),
            _ => bucket.clone(),
        }
    }
}

#[async_trait]
impl Attempts for Broken {
    async fn admit(&self, attempts: &[Attempt], now: UnixTime) -> Result<Admission, StoreError> {
        self.wait_or_fail().await?;
        let named =
            attempts.iter().map(|attempt| Attempt { bucket: self.named(&attempt.bucket), limit: attempt.limit });
        let attempts: Vec<_> = named.collect();
        match self.defect {
            Defect::AdmitsInTwoSteps | Defect::LeavesEmptyCounts => Ok(self.count(&attempts, now).await),
            Defect::CountsTheRefused => {
                let mut refused = None;
                for attempt in attempts {
                    if let Admission::Refused(wait) = self.inner.admit(&[attempt], now).await? {
                        refused = refused.max(Some(wait));
                    }
                }
                Ok(refused.map_or(Admission::Admitted, Admission::Refused))
            }
            Defect::AnswersTheFirstWait => {
                for (place, attempt) in attempts.iter().enumerate() {
                    let admission = self.inner.admit(std::slice::from_ref(attempt), now).await?;
                    if admission != Admission::Admitted {
                        let before = attempts[..place].iter();
                        let before: Vec<_> = before.map(|a| (a.bucket.clone(), Forgiveness::One)).collect();
                        self.inner.forgive(&before).await?;
                        return Ok(admission);
                    }
                }
                Ok(Admission::Admitted)
            }
            _ => self.inner.admit(&attempts, now).await,
        }
    }

    async fn forgive(&self, buckets: &[(Bucket, Forgiveness)]) -> Result<(), StoreError> {
        let as_well_as_all = |how: Forgiveness| match self.defect {
            Defect::ForgivesEverything => Forgiveness::All,
            _ => how,
        };
        let buckets = buckets.iter().map(|(bucket, how)| (self.named(bucket), as_well_as_all(*how)));
        let buckets: Vec<_> = buckets.collect();
        match self.defect {
            Defect::ForgivesNothing => Ok(()),
            Defect::LeavesEmptyCounts => {
                for (bucket, how) in &buckets {
                    let all = matches!(how, Forgiveness::All);
                    let less = |c: &mut Counter| c.count = if all { 0 } else { c.count.saturating_sub(1) };
                    self.counts.lock().unwrap().entry(bucket.clone()).and_modify(less);
                }
                Ok(())
            }
            _ => self.inner.forgive(&buckets).await,
        }
    }

    async fn prune_attempts(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let (now, limit) = self.pruning(now, limit);
        self.inner.prune_attempts(now, limit).await
    }
}
