// SPDX-License-Identifier: Apache-2.0

// Measures the two maps that Go programs share, with the loads of `vigil bench maps`:
//
//	go_maps -keys 8,16 -entries 1000 -reads 100,95 -threads 1,2 -distributions uniform -repeats 3 -ms 12
//
// prints a line of tab-separated fields per cell: map, key, entries, reads, threads, distribution,
// millions of operations per second (the median of the repeats). Keys, values, mixes and the
// stream of drawn keys are those of workload.h; a thread is a goroutine.
package main

import (
	"flag"
	"fmt"
	"math"
	"math/rand"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type value struct{ state, updated uint64 }

type sharedMap[K comparable] struct {
	name  string
	load  func(K) (value, bool)
	store func(K, value)
}

func syncMap[K comparable]() sharedMap[K] {
	var m sync.Map
	return sharedMap[K]{
		"Go sync.Map",
		func(key K) (value, bool) {
			found, ok := m.Load(key)
			if !ok {
				return value{}, false
			}
			return found.(value), true
		},
		func(key K, v value) { m.Store(key, v) },
	}
}

const rwMapName = "Go RWMutex"

// Twice the same, because the compiler has faster maps for numbers and strings, not for K.
func rwMapOfNumbers() sharedMap[uint64] {
	var lock sync.RWMutex
	m := map[uint64]value{}
	return sharedMap[uint64]{
		rwMapName,
		func(key uint64) (value, bool) {
			lock.RLock()
			found, ok := m[key]
			lock.RUnlock()
			return found, ok
		},
		func(key uint64, v value) {
			lock.Lock()
			m[key] = v
			lock.Unlock()
		},
	}
}

func rwMapOfStrings() sharedMap[string] {
	var lock sync.RWMutex
	m := map[string]value{}
	return sharedMap[string]{
		rwMapName,
		func(key string) (value, bool) {
			lock.RLock()
			found, ok := m[key]
			lock.RUnlock()
			return found, ok
		},
		func(key string, v value) {
			lock.Lock()
			m[key] = v
			lock.Unlock()
		},
	}
}

func numberKey(n uint64) uint64 { return n * 0x9E3779B97F4A7C15 }

func stringKey(size int) func(uint64) string {
	return func(n uint64) string {
		digits := strconv.FormatUint(n, 10)
		key := ""
		if size >= len(digits)+6 {
			key = "order-"
		}
		if missing := size - len(key) - len(digits); missing > 0 {
			key += strings.Repeat("0", missing)
		}
		return key + digits
	}
}

const (
	keyStreamSize       = 1 << 18
	operationStreamSize = 8192
)

func drawNumbers(distribution string, entries uint64) []uint64 {
	random := rand.New(rand.NewSource(int64(entries)))
	drawn := make([]uint64, keyStreamSize)
	if distribution == "uniform" {
		for i := range drawn {
			drawn[i] = uint64(random.Int63n(int64(entries)))
		}
		return drawn
	}
	cumulative := make([]float64, entries)
	sum := 0.0
	for rank := range cumulative {
		sum += math.Pow(float64(rank+1), -0.99)
		cumulative[rank] = sum
	}
	for i := range drawn {
		rank := sort.SearchFloat64s(cumulative, random.Float64()*sum)
		if rank == len(cumulative) {
			rank--
		}
		drawn[i] = uint64(rank)
	}
	return drawn
}

func drawReads(percent int) []bool {
	random := rand.New(rand.NewSource(int64(percent)))
	reads := make([]bool, operationStreamSize)
	for i := range reads {
		reads[i] = random.Intn(100) < percent
	}
	return reads
}

var discarded uint64

// Operations per microsecond of all threads together.
func runOnce[K comparable](m sharedMap[K], keys []K, reads []bool, threads int, duration time.Duration) float64 {
	var stop atomic.Bool
	var done, results atomic.Uint64
	var start, end sync.WaitGroup
	start.Add(1)
	for n := 0; n < threads; n++ {
		end.Add(1)
		go func(first int) {
			defer end.Done()
			start.Wait()
			position := first
			checksum := uint64(0)
			for !stop.Load() {
				for last := position + 256; position != last; position++ {
					key := keys[position%keyStreamSize]
					if reads[position%operationStreamSize] {
						found, _ := m.load(key)
						checksum += found.state ^ found.updated
					} else {
						m.store(key, value{uint64(position), uint64(position)})
					}
				}
			}
			done.Add(uint64(position - first))
			results.Add(checksum)
		}(keyStreamSize / threads * n)
	}
	begin := time.Now()
	start.Done()
	time.Sleep(duration)
	stop.Store(true)
	end.Wait()
	atomic.AddUint64(&discarded, results.Load())
	return float64(done.Load()) * 1e3 / float64(time.Since(begin).Nanoseconds())
}

func median(values []float64) float64 {
	sort.Float64s(values)
	return values[len(values)/2]
}

type plan struct {
	reads, threads []int
	distributions  []string
	repeats        int
	duration       time.Duration
}

func measure[K comparable](p plan, name string, entries uint64, key func(uint64) K, maps []sharedMap[K]) {
	for n := uint64(0); n < entries; n++ {
		for _, m := range maps {
			m.store(key(n), value{n, n})
		}
	}
	runtime.GC()
	for _, distribution := range p.distributions {
		keys := make([]K, keyStreamSize)
		for i, n := range drawNumbers(distribution, entries) {
			keys[i] = key(n)
		}
		for _, percent := range p.reads {
			reads := drawReads(percent)
			for _, threads := range p.threads {
				mops := make([][]float64, len(maps))
				for repeat := 0; repeat < p.repeats; repeat++ {
					for i, m := range maps {
						mops[i] = append(mops[i], runOnce(m, keys, reads, threads, p.duration))
					}
				}
				for i, m := range maps {
					fmt.Printf("%s\t%s\t%d\t%d\t%d\t%s\t%.3f\n", m.name, name, entries, percent, threads,
						distribution, median(mops[i]))
				}
			}
		}
	}
}

func numbers(list string) (result []int) {
	for _, text := range strings.Split(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			panic("not a list of numbers: " + list)
		}
		result = append(result, n)
	}
	return
}

func main() {
	keys := flag.String("keys", "8,16", "bytes per key; 8: numbers, else strings")
	entries := flag.String("entries", "1000", "numbers of entries")
	reads := flag.String("reads", "100,95", "shares of reads in percent")
	threads := flag.String("threads", "1,2", "numbers of goroutines")
	distributions := flag.String("distributions", "uniform,zipf", "of the keys")
	repeats := flag.Int("repeats", 3, "runs per cell and map")
	milliseconds := flag.Int("ms", 40, "duration of a run")
	flag.Parse()
	p := plan{numbers(*reads), numbers(*threads), strings.Split(*distributions, ","), *repeats,
		time.Duration(*milliseconds) * time.Millisecond}
	for _, size := range numbers(*keys) {
		for _, count := range numbers(*entries) {
			if size == 8 {
				measure(p, "u64", uint64(count), numberKey,
					[]sharedMap[uint64]{syncMap[uint64](), rwMapOfNumbers()})
			} else {
				measure(p, "string"+strconv.Itoa(size), uint64(count), stringKey(size),
					[]sharedMap[string]{syncMap[string](), rwMapOfStrings()})
			}
		}
	}
}
