// Memory: a stack that grows. Nothing is freed but from its top, so there is no list of free blocks to damage.
#include "codec.h"
#define ALIGN 64
#define PAGE_BITS 16  // of WebAssembly

extern u8 __heap_base;  // where the linker's own data ends
static u32 top, full;

void *EXPORT(alloc)(u32 bytes) {
  if (!top) top = ((u32)&__heap_base + ALIGN - 1) & -ALIGN;
  u64 end = ((u64)top + bytes + ALIGN - 1) & -(u64)ALIGN, have = (u64)__builtin_wasm_memory_size(0) << PAGE_BITS;
  full = end >= 1ull << 32;
  if (!full && end > have) {
    u32 pages = (u32)((end - have + (1 << PAGE_BITS) - 1) >> PAGE_BITS);
    full = __builtin_wasm_memory_grow(0, pages) == (__SIZE_TYPE__)-1;
  }
  if (full) __builtin_trap();
  void *start = (void *)top;
  top = (u32)end;
  return start;
}

// Whether there was too little for the last one who asked: the module has trapped then.
u32 EXPORT(is_full)(void) { return full; }

void *zeroed(u32 bytes) { return __builtin_memset(alloc(bytes), 0, bytes); }

u32 EXPORT(mark)(void) {
  alloc(0);
  return top;
}

void EXPORT(release)(u32 to) { top = to; }
