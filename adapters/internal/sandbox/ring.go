package sandbox

// Ring keeps the newest Max items and counts all.
type Ring[T any] struct {
	Max   int
	Items []T
	Total int64
}

// Add appends an item; the oldest beyond Max goes.
func (r *Ring[T]) Add(item T) {
	r.Total++
	r.Items = append(r.Items, item)
	if len(r.Items) > r.Max {
		var zero T
		r.Items[0] = zero
		r.Items = r.Items[1:]
	}
}

// Last is the newest item, or zero.
func (r *Ring[T]) Last() T {
	var zero T
	if len(r.Items) == 0 {
		return zero
	}
	return r.Items[len(r.Items)-1]
}

// After gives up to limit items whose number is higher than n, and the number of the last of them. Numbers count from 1.
func (r *Ring[T]) After(n int64, limit int) ([]T, int64) {
	first := r.Total - int64(len(r.Items)) // number of the item before the first kept one
	skip := max(n-first, 0)
	if skip >= int64(len(r.Items)) {
		return []T{}, max(n, first)
	}
	out := r.Items[skip:]
	if len(out) > limit {
		out = out[:limit]
	}
	return append([]T(nil), out...), first + skip + int64(len(out))
}
