package gateway

import "sync"

// crewIdle is how many members of a crew wait for their next job. More are only there while there is work for them.
const crewIdle = 64

// crew is goroutines that take one job after another. A lane has work for a moment, many times a second: a goroutine of its own each
// time would grow its stack anew.
type crew struct {
	jobs    chan func()
	idle    chan struct{} // one per member that waits
	members sync.WaitGroup
}

func newCrew() *crew { return &crew{jobs: make(chan func()), idle: make(chan struct{}, crewIdle)} }

// do gives a job to a member that waits, or to a new one; it never blocks.
func (c *crew) do(job func()) {
	select {
	case c.jobs <- job:
	default:
		c.members.Go(func() { c.serve(job) })
	}
}

func (c *crew) serve(job func()) {
	for ok := true; ok; {
		job()
		select {
		case c.idle <- struct{}{}:
		default:
			return
		}
		job, ok = <-c.jobs
		<-c.idle
	}
}

// dismiss ends the crew, and returns when the last job is done.
func (c *crew) dismiss() {
	close(c.jobs)
	c.members.Wait()
}
