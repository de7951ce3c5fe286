// How this process's heap takes memory from the system; nothing where the C library is not glibc.
#pragma once

namespace assay::cli {

// To be called first. A process that reads a model, packs its weights and runs it once would spend a third of its time
// on taking pages one by one: the heap's first ones are taken as large pages where the system has such for the asking.
void ReserveHeap();

// For work in which values of whole samples come and go, on several threads: the memory of one serves the next.
void KeepFreedMemory();

}  // namespace assay::cli
