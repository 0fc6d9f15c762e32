package shard

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

func TestTrimmerKeepsWhatIsYoungerThanTheRetention(t *testing.T) {
	synctested(t, func(t *testing.T) {
		s := newFakeStore(2)
		s.claimAll()
		// One event a minute for 100 minutes, up to now, in each log. The bubble's
		// clock begins before that of ids.
		time.Sleep(time.Until(feedengine.IDEpoch.Add(1000 * time.Hour)))
		for i := range 100 {
			at := feedengine.TickAt(time.Now().Add(time.Duration(i-99) * time.Minute))
			for shard := range feedengine.ShardID(2) {
				s.logs[shard] = append(s.logs[shard], &feedengine.Event{Shard: shard, Seq: uint64(i + 1), ID: at.ID(shard)})
			}
		}
		start := time.Now()
		tr := NewTrimmer(TrimmerOptions{Store: s, Retention: time.Hour, Every: time.Minute, Metrics: metrics.NewSet(), Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(tr.Stop)
		for s.trimmedRows() == 0 {
			time.Sleep(time.Second)
		}
		first := time.Since(start)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		// 39 were older than an hour at the start; the first round takes all of
		// them, in pieces.
		if got := s.trimmedRows(); got < 2*39 || got > 2*40 {
			t.Errorf("trimmed %d rows, want those above an hour old", got)
		}
		if first > time.Minute {
			t.Errorf("first round after %v", first)
		}
		s.setFail(func(string) fault { return faultUnavailable })
		time.Sleep(10 * time.Minute)
		failed := s.count("trim")
		s.setFail(nil)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if got := s.trimmedRows(); got != 2*99 {
			t.Errorf("after a day: trimmed %d rows, want all but each log's last", got)
		}
		if failed > 40 {
			t.Errorf("%d calls in 10 minutes to a database that is down", failed)
		}

		s.setFail(func(string) fault { return faultHangs })
		time.Sleep(2 * time.Minute)
		start = time.Now()
		tr.Stop()
		if time.Since(start) != 0 {
			t.Errorf("Stop took %v", time.Since(start))
		}
	})
}
