package sandbox

import (
	"container/heap"
	"time"
)

// Tasks are things to do later, as what a persona does next. The owner's lock guards them.
type Tasks struct{ queue taskQueue }

// Add plans something for a moment.
func (t *Tasks) Add(at time.Time, do func()) { heap.Push(&t.queue, task{at, do}) }

// RunDue does what is due and says how long nothing else will be; zero when nothing is planned.
func (t *Tasks) RunDue(now time.Time) time.Duration {
	for len(t.queue) > 0 {
		if d := t.queue[0].at.Sub(now); d > 0 {
			return d
		}
		heap.Pop(&t.queue).(task).do()
	}
	return 0
}

type task struct {
	at time.Time
	do func()
}

type taskQueue []task

func (q taskQueue) Len() int           { return len(q) }
func (q taskQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q taskQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *taskQueue) Push(x any)        { *q = append(*q, x.(task)) }
func (q *taskQueue) Pop() any {
	old := *q
	t := old[len(old)-1]
	old[len(old)-1] = task{}
	*q = old[:len(old)-1]
	return t
}
