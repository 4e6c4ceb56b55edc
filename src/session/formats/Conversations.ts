import { Messages } from "./Messages.ts"
import { type Emit, note, type Place } from "./Reading.ts"
import type { Members } from "./Values.ts"

/** Of a longer conversation a copy that goes on is not recognised. */
const MAX_COMPARED = 5000
const MAX_HELD_BYTES = 32 * 1024 * 1024

const fingerprint = (message: Members): number | bigint => Bun.hash(JSON.stringify(message))

interface Held {
  readonly message: Members
  readonly place: Place
}

/**
 * Numbers the conversations of a file. Logs of single requests repeat the whole conversation each
 * time: one that begins with all of the one before, and goes on, is the same one, and what it repeats is
 * left out.
 */
export class Conversations {
  readonly #emit: Emit
  readonly #messages: Messages
  #index = -1
  #open = false
  #previous: ReadonlyArray<number | bigint> = []
  #current: Array<number | bigint> = []
  /** Messages that so far only repeat the conversation before. */
  #held: Array<Held> = []
  #heldBytes = 0
  #repeating = false

  constructor(emit: Emit) {
    this.#emit = emit
    this.#messages = new Messages(emit)
  }

  /** @param alone it stands in no list: the next conversation cannot repeat it */
  message(message: Members, place: Place, alone = false): void {
    if (!this.#open) this.#begin()
    if (alone && !this.#repeating) {
      this.#tell({ message, place })
      return
    }
    const compared = this.#current.length <= MAX_COMPARED
    const mark = compared ? fingerprint(message) : 0
    const position = this.#current.length
    if (compared) this.#current.push(mark)
    if (this.#repeating) {
      const known = this.#previous[position]
      if (known === mark && this.#heldBytes <= MAX_HELD_BYTES) {
        this.#held.push({ message, place })
        this.#heldBytes += place.bytes
        return
      }
      if (known === undefined) this.#forgetHeld()
      else this.#tellHeld()
    }
    this.#tell({ message, place })
  }

  /** The conversation has ended; its other members become a note. */
  end(members: Members, place: Place): void {
    // Equal to the one before and no longer: that it is a copy is for others to find.
    if (this.#repeating) this.#tellHeld()
    if (Object.keys(members).length > 0) {
      const about = note(this.#open ? "conversation" : "line", { ...members }, place.source)
      this.#emit(this.#open ? { ...about, conversation: this.#index } : about)
    }
    if (!this.#open) return
    this.#previous = this.#current.length > MAX_COMPARED ? [] : this.#current
    this.#current = []
    this.#open = false
  }

  #begin(): void {
    this.#open = true
    this.#repeating = this.#previous.length > 0
    if (!this.#repeating) this.#index++
  }

  #tell({ message, place }: Held): void {
    this.#messages.add(message, { conversation: this.#index, at: null, source: place.source })
  }

  #tellHeld(): void {
    const held = this.#held
    this.#index++
    this.#forgetHeld()
    for (const each of held) this.#tell(each)
  }

  #forgetHeld(): void {
    this.#held = []
    this.#heldBytes = 0
    this.#repeating = false
  }
}
