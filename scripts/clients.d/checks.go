// Makes 2,000 checks, eight at a time, with the client of the example; with the argument "away",
// one check of a front that is away: the example fails open.
package main

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

func main() {
	key := fmt.Sprintf("go %d", os.Getpid())
	if len(os.Args) > 2 {
		if wait := WaitMs(key); wait == nil || *wait != 0 {
			panic("it fails closed")
		}
		return
	}
	var left, allowed int64 = 2000, 0
	var workers sync.WaitGroup
	for i := 0; i < 8; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for atomic.AddInt64(&left, -1) >= 0 {
				decision, err := Check(key)
				if err != nil {
					panic(err)
				}
				if decision.Allowed {
					atomic.AddInt64(&allowed, 1)
				} else if decision.RetryAfterMs == nil || *decision.RetryAfterMs <= 0 {
					panic("a denial without a wait")
				}
			}
		}()
	}
	workers.Wait()
	if allowed < 100 || allowed >= 1000 {
		panic(fmt.Sprint(allowed, " allowed"))
	}
}
