package redisstore

import "postern/gateway"

// names are the keys of a partition that every message needs, several times each: they are joined once. Queues of parked lanes, which
// come and go, are not among them.
type names struct {
	own, wake, parked string
	of                map[gateway.Queue]queueNames
}

type queueNames struct{ stream, tries, counts, held string }

// names returns a partition's. There are as many partitions as shards and components, and the process keeps them all.
func (s *Store) names(p gateway.Partition) *names {
	s.namesMu.RLock()
	n := s.known[p]
	s.namesMu.RUnlock()
	if n != nil {
		return n
	}
	n = &names{own: s.part(p, "own"), wake: s.prefix + "wake:" + string(p), parked: s.part(p, "parked"), of: map[gateway.Queue]queueNames{}}
	for _, q := range []gateway.Queue{gateway.QueueIn, gateway.QueueOut, gateway.QueueXMPP} {
		n.of[q] = s.joined(p, q)
	}
	s.namesMu.Lock()
	defer s.namesMu.Unlock()
	if s.known == nil {
		s.known = map[gateway.Partition]*names{}
	}
	s.known[p] = n
	return n
}

func (s *Store) queue(p gateway.Partition, q gateway.Queue) queueNames {
	if n, ok := s.names(p).of[q]; ok {
		return n
	}
	return s.joined(p, q)
}

// joined makes the keys of a queue. The lane counters of a parked lane, and the number of entries that are parked, are those of where it
// came from.
func (s *Store) joined(p gateway.Partition, q gateway.Queue) queueNames {
	return queueNames{
		stream: s.part(p, "q:"+string(q)), tries: s.part(p, "try:"+string(q)), counts: s.part(p, "n:"+string(q.Base())), held: s.part(p, "held:"+string(q.Base())),
	}
}

func (s *Store) own(p gateway.Partition) string                     { return s.names(p).own }
func (s *Store) wake(p gateway.Partition) string                    { return s.names(p).wake }
func (s *Store) stream(p gateway.Partition, q gateway.Queue) string { return s.queue(p, q).stream }
func (s *Store) tries(p gateway.Partition, q gateway.Queue) string  { return s.queue(p, q).tries }
func (s *Store) counts(p gateway.Partition, q gateway.Queue) string { return s.queue(p, q).counts }
func (s *Store) held(p gateway.Partition, q gateway.Queue) string   { return s.queue(p, q).held }
func (s *Store) parked(p gateway.Partition) string                  { return s.names(p).parked }
