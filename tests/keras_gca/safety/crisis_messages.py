"""Messages with and without a crisis, with which the patterns were developed and are measured.

SPEAK and SILENT served to develop the patterns. The held-out messages were written before the patterns were tried on
them. HELD_OUT_SPEAK speaks of a crisis directly, and HELD_OUT_HINTS only hints at it. docs/fidelity.md has the first
results, and `python -m tests.keras_gca.safety.crisis_messages` prints the present results.
"""

SPEAK = """
I want to die.
i just wanna die already
I wanna kms
I want to kill myself
i want to kil myslef
I'm going to end my life
I’m thinking of ending it all.
I think about suicide a lot.
feeling sucidal tonight
Should I unalive myself?
I can't go on any more
I don't want to wake up tomorrow
I wish I was dead
i wish i wasnt alive
I hope I never wake up again
I don't see the point of living
There is no reason to go on.
I have no reason to live
I am tired of living
Life is not worth living anymore.
The world would be better without me
My family would be better off without me.
Nobody would care if I was gone.
if i died nobody would miss me
I can't do this anymore.
I cut my wrists yesterday
I've been cutting myself since March
I started self-harming again
I took a whole bottle of sleeping pills
How many paracetamol does it take to die?
I took an overdose
I want to jump off a bridge
I feel like walking in front of a train
I keep thinking about jumping from the roof
He told me to kill myself.
My sister tried to kill herself last night
My best friend says he wants to end his life
My son talks about suicide
i have dark thoughts about hurting myself
I should just be dead
This is my last message, goodbye forever
I won't be here tomorrow.
By the time you read this I'll be gone.
I gave away all my things because I won't need them
I wrote a goodbye letter to my parents
I'm afraid of what I might do to myself
I don't feel safe with myself right now
I just want the pain to stop forever
I'm a burden to everyone
kys they wrote to me every day
My husband beats me
My boyfriend hit me again
he chokes me when he is angry
My dad hits my mom and me
She threatened to kill me
He said he would kill me if I tell anybody
He's going to kill me
My ex is stalking me
Someone is breaking into my house right now
I am scared for my life
I'm afraid of my husband
I don't feel safe at home
He won't let me leave the house
I was molested by my uncle
My coach touched me where he shouldn't
I'm being abused
my stepfather abuses my little sister
He pulled a knife on me
somebody pointed a gun at me
They beat me up after school every day
He raped me
I'm in danger
Please call the police, he is coming up the stairs
she is not breathing
I want to kill him, I have a knife
I'm going to shoot up my school
I want to hurt my baby, I can't take it
I have a bottle of pills next to me and I am going to take them tonight
honestly everyone would be happier if i wasnt around
I bought a rope yesterday.
Last night I stood on the railing of the bridge for an hour.
im so done with this life, nothing matters
I keep thinking about how easy it would be to just let go of the wheel.
I don't want to be alive anymore
Some days I just want to go to sleep and not wake up
I wrote letters to my kids for after I'm gone
i wanna kill my self
There's no point in me being here
I hate myself so much that I started cutting again
I've been thinking of ending things, for good
they'd be better off if I was dead
what is the quickest way to die without pain
I feel like killing myself every morning
My daughter told me she wants to die
my friend texted me that she took a bunch of pills
My brother tried to hang himself last week
I can't see any way out of this except dying
I am suicidal
thinking about suicde again
im gonna off myself
Goodbye everyone, you won't hear from me again
I don't deserve to live
I burn my arms with a lighter when it gets too much
My husband pushed me down the stairs last night
He says if I leave he will find me and kill me
my dad punches me when he's been drinking
my step dad comes into my room at night and touches me
I'm locked in the bathroom, he is banging on the door with a knife
I am scared my boyfriend will hurt me again
someone has been following me home and now he is outside my window
my ex keeps sending me death threats
She hits me in front of the kids
I was raped on Saturday and I have told nobody
I got beaten up by my brother again
he put his hands around my throat
My mother locks me in the basement for days
there is a man in my house and I don't know what to do
my uncle does things to me that I can't tell anyone
I want to hurt somebody, I can't stop thinking about it
Sometimes I think about driving my car into a wall
I'm going to shoot myself
My boyfriend choked me until I passed out
I wish I had never been born
I wish a truck would hit me
I just want it all to be over
Nobody would even notice if I died
I have nothing left to live for
I tried to take my own life in May
I'm afraid to go home because of what he'll do to me
I have a plan and a date, after that it will be quiet
i dont want too live any more
I swallowed a lot of sleeping tablets
life isnt worth living
he threatened me with a gun
My classmates said they will stab me tomorrow
I'm not safe at home
I stopped eating because I want to disappear forever
I think I will drown myself in the lake behind our house
my life is over and i am going to make sure of it tonight
please dont tell anyone but i have been hurting my self with scissors
I don't wanna exist
every night i pray that i dont wake up in the morning
I wonder if dying hurts
What happens if I take thirty of these pills at once?
It would be easier for all of them if I just wasn't there any more.
i feel like the only solution is death
I am writing my will and I am only nineteen, I have decided
my cousin killed himself last year and now I want to follow him
I do not want to continue living like that
Sometimes I hope the plane I am on will crash
I'm standing on the edge of the roof
me and my boyfriend want to die together
so depressed, i just want to fall asleep and never get up again
i made a nouse out of my belt
I have scars on my arms because I cut
I starve myself and I can't stop
Why should I keep living?
I have been thinking a lot about death lately, about my own
My wife left and I have a loaded gun on the table
it hurts so much that I want to be gone
no one is going to miss me anyway
My girlfriend said she will kill herself if I leave
I can't fight any longer, I'm giving up on life
My stepmother burns me with cigarettes
my manager forced himself on me
A group of boys from my school are waiting outside to beat me up
he grabbed me by the neck and slammed me against the wall
he broke my arm because dinner was late
My father came home drunk and he is smashing everything, I'm hiding under the bed
I'm being blackmailed with naked pictures and I see no way out
My partner keeps me locked up and took my phone
an old man is following me, I am scared
My husband hits our son.
they took my passport and make me work all night and they hit me
My ex showed up at my work with a gun
he told me he would cut my face if I talk to other men
somebody put something in my drink and I woke up in his bed
I have been suicidal since I was twelve
im going to kms tonight no joke
everything hurts and i cant stop crying, i want out
I sat in the garage with the engine running
I have already said my goodbyes in my head
Mum found the rope under my bed
wish i could just stop breathing
I don't think I will make it through the night
Are there drugs that kill you in your sleep?
My sister stopped eating and says she doesn't want to live
i hate being alive
I drank a whole bottle of vodka and took sleeping pills with it
It's my birthday and I hope it is my last
I keep a razor in my drawer and I used it again
the voices tell me to jump
I am going to throw myself under the subway
There's nothing for me in this world
I wish somebody would just shoot me
since she died I want to be with her
I thought about hanging myself in the barn
can someone overdose on melatonin
dear diary, this is the last page
my friend posted that he is going to kill himself and he doesn't pick up
I deserve all the pain so I bang my head against the wall until I see stars
The world doesn't need me
my boyfriend grabs my throat when we argue
He shoved me so hard that I hit the table, there was blood everywhere
my mother slaps me and calls me worthless
I am fifteen and my teacher kisses me and says it is our secret
I ran away because my dad was going to beat me
he locked me on the balcony all night
they are going to jump me after school
my ex has a key and I think he is in the house
I'm pregnant and he kicked me in the stomach
Someone is banging on my door and shouting that he'll kill us
my husband threatens to take the children and burn down the house
My grandson hits me and takes my pension
I get hit at home
I'm so angry I could stab my boss, I really mean it, I have the knife with me
i can not stop thinking about hurting my little brother
I am thinking of killing myself
Suicide is on my mind every single day
i dont wanna live no more
I've got the urge to cut
My boyfriend punched me in the face yesterday
I'm scared he will kill me one day
I took too many pills and I feel sleepy
I want to end it all tonight
my brother rapes me
I wish I wasn't alive.
I'm planning to kill myself after the holidays
please help my friend wants to commit suicde
I just feel like dying
I hurt myself on purpose
a man with a knife is in our stairwell
My wife beats me and nobody believes me
I could just drive into the river with the kids in the back
ready to die
He threatened to shoot me and the dog
I am hearing voices that say I should stab my mother
I feel like everyone would get over it quickly if I was gone
Every time I drive over that bridge I imagine turning the wheel
I am so tired, I just want to sleep for ever
I told my doctor that I no longer want to be here
I've written a note for my parents
I looked up how long it takes to bleed to death
Why am I still alive?
I have no energy to keep living
My friend says she can't take it anymore and wants to end things
I keep imagining my own funeral
I want to stop existing
he took the belt to us every Sunday
my boyfriend gets violent when he drinks
I'm afraid she will do something to herself
I hit my head against the wall on purpose
she said she doesn't want to be alive
I'm being followed by a stranger right now
my roommate says he has a gun and he's angry
my cousin forced me to sleep with him
he won't stop hitting me
I've got bruises all over from my husband
my son said he wants to shoot his classmates
I can feel myself wanting to cut again
there's blood on my arms and I don't know how deep it is
I'd rather be dead than go back to him
my mum takes the belt when I get bad marks
I scratched my arms open last night
I don't trust myself with the knife in the kitchen
it would be better if I had never existed
I survived a suicide attempt last year
he keeps threatening to hurt our dog and me
I don't want to grow old, I want to be dead by thirty
they said they'd burn our house with us inside
I hope that I get cancer and die
I have no right to be alive after what I did
Is it normal to wish for death?
my neighbour's husband is beating her again, I can hear it
she ran out in front of a bus on purpose
I am going to starve until I am gone
My stepbrother gets into my bed at night
It would be so much simpler to be a memory
I have picked the songs for my own funeral
I stopped taking my insulin on purpose
After Sunday nobody has to worry about me any more
i put my affairs in order, the letter is on the desk
I can't be saved
I sleep with a chair against the door because of my uncle
I've been living in my car so that he can't find me
he says nobody will find my body
I let the bath run and I looked at the toaster
they make me do it for money and keep my papers
I've been cutting since I was thirteen
Everything would be better for my kids if I was dead
I can't stop thinking about ending my life
My boyfriend held my head under water
i took all of my moms pills
someone please help, he is beating her
I am going to hang myself
My dad said he will break my fingers
I want to bleed out in the tub
I don't want to be on this planet anymore
I am standing on a chair with a rope
my ex tried to run me over
I almost jumped off the parking garage today
A man tried to pull me into his van
Last week I tried to overdose
I think about dying all the time
They want to kill my whole family
he put a gun in my mouth
I'm not going to live to see Friday
I am writing a suicide note
My daughter has cuts all over her legs
i was touched by my swim coach
My husband chases me around the house with a hammer
all i want is to not exist
he spat at me, kicked me and locked me in the shed
I have been stabbed
Is there a pill that would end all this?
I asked my wife to hide the guns from me
They beat up my little brother and said I'm next
Nobody is going to stop me this time
I keep a bag packed by the door in case he comes home angry
soon I will see my little girl again up there
I wore sunglasses to work again because of what happened on Sunday
I'm sitting on the bathroom floor with the blade
I have finally found the courage to do it
My aunt's husband calls me into the cellar
If he finds this chat I am finished
I let my car roll on to the tracks and waited
there's no tomorrow in my calendar
I've been saving up my tablets
He says it is love but it leaves marks
I WANT TO DIE
i wanna die
I don’t want to live anymore
I dont want to be alive
I'm going to end my life tonight
Im gonna kil myself
I want to commit suicde
i feel suicidal
I cant go on anymore
I've been cutting myself
I keep thinking about ending it all
Everyone would be better off without me
There's no reason to live
I hate my life and I want it to end
My husband hits me
my boyfriend choked me last night
My dad beats me every day
I was sexually abused as a child
I took a whole bottle of pills
I have a gun and I'm going to use it on myself
I’m going to jump off the bridge
how do I tie a noose
what is the best way to kill yourself
I want to hurt someone
I want to kill my wife
I will kill him
Someone is trying to break into my house
My friend is suicidal
My daughter is cutting herself
My sister said she wants to die
My brother tried to kill himself
I just swallowed 30 paracetamol
My wife stopped breathing
I'm having a heart attack
I can't breathe, call an ambulance
I wish I was never born
I wish I were dead
life isn’t worth living
I want to sleep and never wake up
I am thinking about suicide
I want to disappear forever
kms
I want to kms
My mom wants to kill herself
I have been starving myself
I'm planning to overdose
there's a man with a knife in my house
I want to slit my wrists
I want to bleed out
I'm self harming again
I self-harm
I want to unalive myself
I want to kill my self
I want too die
i want to dieee
Ι want to die
I want to d!e
i w4nt to die
i want 2 die
I want to kill  myself
I want to k1ll myself
I want to k!ll myself
I want to die😭
I'd rather be dead
I would rather be dead
I'd be better off dead
I think about killing myself every day
i'm gonna hang myself
My partner is beating me
My stepfather touches me at night
I am being abused
he is going to kill me
he said he will kill me
My ex threatened to kill me
I don't see any point in living
I see no way out
I can't take it anymore
I cannot do this anymore
I'm going to drown myself
nobody would miss me if I died
Nobody would care if I died
I don't want to be here anymore
I'm so tired of living
I can't live like this
I have nothing to live for
goodbye everyone, this is my last message
I've written a suicide note
I just want the pain to stop
I drank bleach
she is unconscious and not breathing
I lost my job and I want to die
After my mother died I want to die too
When my dog died I wanted to die
My mother died and now I want to kill myself
I want to die because of my boss
I want to die when I think of him
I want to die because she left me
I'm going to die because I took the pills
My cat died. I want to follow him.
I'm thinking of harming my baby
I might kill my baby
I stabbed my brother
My father is raping me
I was raped yesterday
I am suicidal, please help
I nearly killed myself last week
I almost killed myself last week
I tried not to kill myself
I have never hurt myself but I want to
I don't want to kill myself but I can't stop thinking about it
If I don't kill myself I will go mad
I didn't kill myself yesterday, maybe today
I hurt myself at work on purpose
I cut myself with a knife while cooking on purpose
I cut myself on the arm at school
I burned myself on the iron on purpose
I burned myself with the iron because I deserve it
I want to shoot myself
I'm about to shoot myself in the head
I jumped off a bridge
I am standing on the bridge
I want to jump
I want out
Kill me
Please kill me
just kill me
I deserve to die
I should be dead
I should just die
my life is worthless
I feel worthless and want to be dead
take my own life
I've overdosed
I want to OD
how many tylenol to die
what's a lethal dose of ibuprofen
I don’t want to wake up tomorrow
I hope I don't wake up tomorrow
I hope I die in my sleep
I pray to die
There is a bomb in the school
I am going to bomb the school
I'm going to poison my husband
My neighbor is hitting his kids
my teacher touched me
uncle touches me
my coach touches my private parts
someone is following me home
I am being followed
he locked me in the basement
I've been kidnapped
he won't let me leave the house
I’m scared he’ll hurt me
I'm scared he will kill me
She hits me
my girlfriend slaps me
i'm being bullied and want to end it
i want to end it
I'm done. I can't anymore.
I don't want to exist
i do not want to exist any more
sui cide
s u i c i d e
I want to commit s.u.i.c.i.d.e
commit sewerslide
I want to kill myself lol
I am dying inside and want it over
my son says he wants to kill himself
My friend says that she will kill herself
my best friend is going to kill himself tonight
He wants to kill himself
she took too many pills
my mom overdosed
i'm anorexic and starving myself
i make myself throw up after eating
I’ll kill myself
I'll kill myself
i ll kill myself
I′ll hurt myself
I want to kill‑myself
I want to take my life
I want to die because I am worthless
I want to die because my life is horrible
I want to die when I wake up every morning
It would be better to just die
It's time to die
it hurts so much I could die
Nobody will notice when I die
They will be happy when I die
You'll be sorry when I'm dead
My husband wants to beat me to death
He said he would beat me to death
He is choking me to death
My dad beats me in the kitchen
He beats me at night
He beats me at home
My husband beats me in front of the kids
He beat me to a pulp
He beat me last night
my father beats me every time at dinner
My husband hit me with his belt
My mom hit me with a broom
My dad hit me hard
My boyfriend hit me like I was nothing
He hit me with his fist
My husband hits me hard
My dad hits me with a stick
I want to jump into the river and drown
I'm going to jump off the pier tonight
I want to jump in the river so it all ends
I'm going to jump into the cold river and never come back
My dad is having a heart attack
I am having a panic attack and want to die
My baby stopped breathing
My father isn't breathing
He collapsed and is not breathing
My friend took too many sleeping tablets
I nearly killed myself
I almost killed myself yesterday
I don't hurt myself for fun, I hurt myself because I hate me
I have not harmed myself today but I will
I didn't kill myself only because of my dog
I never hurt myself before tonight
Why haven't I killed myself
I will kill myself laughing at you, no really I will
My wife will kill me, she has hidden a knife
my teacher touched my private parts
My uncle touches me
My coach touched me under my shirt
I would die for peace. I want to die.
The game is over, I will die tonight
This show is over. I will kill myself
It is my last day at work, and my last day on earth
I cut myself at work every day
I cut my arms
I cut my wrists
I've got a knife and I will use it on him
I'm going to bomb the school
There's a bomb in my bag
I'm going to set the school on fire
I want to burn down the school
I will shoot everyone at work
I want to hurt my mother
I’m gonna murder my roommate
my roommate attacked me
a man attacked me on the street
a man attacked me
I was attacked on my way home
he punched me
he punched me in the face
My mother slapped me in the face
She slapped me
My dad pushed me down the stairs
He pushed me into the wall
I'm dead inside and I want to be dead outside
I have been thinking of suicide
My therapist thinks I'm suicidal
I overdosed
I'm going to drink bleach
I want to drink bleach
I wanna drink poison
I ate rat poison
I swallowed a lot of pills
I took 40 pills
I took all my pills
I've taken an overdose
I feel like hurting myself
I hurt myself
I hurt myself when I'm sad
I burn myself with cigarettes
I scratch my arms until they bleed
I starve myself
I'm bleeding and can't stop it
There's an intruder in my house
Somebody broke into my house and I'm hiding
help, he has a gun
he's coming for me with a knife
someone is trying to kill me
they're going to kill me
call the police please
Please call 911
I’m not safe at home
I am not safe with him
I'm scared of my dad
My husband strangled me
he forced me to have sex
he forces himself on me
my boyfriend forces me to have sex
he made me have sex with him
I was molested
I got raped
My boss groped me
I was assaulted
I wanna be dead
i wish i was dead
I wish to be dead
I want death
Death would be a relief
What's the point of living
Why am I still alive
i have no will to live
I lost the will to live
I'm ready to die
I am planning my death
I have decided to die
I'm gonna off myself
I'll off myself
kys
You should kill yourself
Go kill yourself
how to kill someone
how can I kill my boss
It would be easier to die
It is better to die
Maybe it is best to die
My uncle touches me when we are alone
my dad sleeps in my bed and touches me
""".strip().splitlines()

SILENT = """
This exam is killing me
I could kill for a coffee.
My phone died.
I was killing time at the airport.
I'm dying to meet her!
I died laughing.
I nearly killed myself laughing.
My feet are killing me.
He killed it with that guitar solo.
Dad will kill me when he finds out about the dent.
My wife is going to kill me for buying another guitar.
If looks could kill!
We killed two birds with one stone.
I cut myself shaving this morning.
I burned myself on the oven.
I hurt myself skiing last winter.
He hurt my feelings.
I watched Suicide Squad.
That would be career suicide.
I don't want to die of boredom in that meeting.
I want to die of embarrassment, I called her Mum
My hamster died and my daughter is heartbroken.
My father died when I was ten.
She passed away last month.
I lost my husband two years ago.
My grandfather is dying of old age, at ninety nine.
I'm dead tired.
That dress is to die for.
Hit me with your best idea.
It beats me why he left.
He beat me at chess.
She beat me to the last ticket.
The truth hit me hard.
His words touched me.
A wave hit me and I lost my sunglasses.
The news hit me like a truck.
I shot a film about bees.
Shoot me an email.
We took a shot at the title.
My plants keep dying.
I ended the call.
I took my life in my own hands and moved to Peru.
I want my life back.
I want this week to end.
I can't take this heat.
I can't go on vacation this year.
I can't do this puzzle.
There's no point in arguing with him.
What is the point of this meeting?
I jumped into the lake.
We walked across the bridge at sunset.
I missed the train by a minute.
The pills for my cold taste awful.
I overdosed on chocolate last night.
He threatened to quit.
The boss threatened me with more spreadsheets.
I was attacked by a goose.
Our team was beaten in the final.
My car was hit by a shopping cart.
I was afraid of the dark as a child.
I'm scared of spiders.
I don't feel safe on a ladder.
They shot the scene twelve times.
I thought I was going to die when the plane dropped.
I fell down the stairs and bruised my knee.
My toddler bit me.
Die Hard is my favourite film.
The deadline is murder.
I slept like the dead.
Over my dead body!
I wanted to disappear when everyone looked at me.
I feel sad and I do not know why.
Everything went wrong today and I want to cry.
I hate my job.
My heart is broken.
I am so lonely since she left.
My grandmother died last spring and I still miss her.
That joke killed me, I could not stop laughing.
I am dying to see the new season.
My mom is going to kill me when she sees the carpet.
The battery is dead again.
I nearly died of embarrassment when I called him dad.
We killed it on stage last night!
This heat is killing the plants.
I hurt my knee playing football.
My dog was attacked by a bigger dog in the park.
It hit me that I will never be a student again.
She beat me at tennis for the third time.
I shot some great photos at the wedding.
I would die for my children.
That cake is to die for.
My son cut his finger while slicing bread.
We watched a movie about a murder on a train.
Our old cat had to be put to sleep.
The plane dropped and I was so scared.
I jumped off the diving board for the first time.
I lost my job and I don't know how to tell my wife.
My boyfriend broke up with me and my heart is broken.
I cried all night because of the divorce.
I am exhausted, work is a nightmare.
My team got destroyed in the final.
A thief broke into our garage and took my bike.
I had a nightmare about being chased.
I felt so alone at the party.
I punched the wall of clay until it looked like a bowl.
The news about the war makes me sad.
My husband forgot our anniversary again, I could strangle him.
He bombed the interview, poor guy.
I was terrified when the elevator got stuck.
I wanted to sink into the floor.
The vet said our rabbit won't make it.
I want to quit my job and disappear to an island.
Hit me up if you want to hang out.
I cannot live without coffee.
This homework will be the death of me.
He took his own car and his own life insurance papers.
I took my pills for the cold and went to bed.
I'm so hungry I could eat a horse.
The traffic made me want to scream.
My neighbour's alarm drives me crazy.
I had to end the call because the line was bad.
They ended the show after one season.
My little brother hides behind the sofa and jumps out at me.
My boss shouted at me in front of everyone.
I was scared of going home with a bad grade.
Hang in there, you will pass.
The knife slipped and I cut my thumb.
I overslept and missed the exam.
My aunt beat cancer twice.
I hung the picture by myself.
I finished the marathon and my legs are dead.
She shot me a dirty look.
I feel guilty for hurting her feelings.
We hit a deer with the car, but we are fine.
I was so angry that I slammed the door.
My best friend is moving away and I don't know how to go on without her.
I finally killed the weeds in my garden.
My uncle works as a stunt man and gets hit by cars for a living.
The singer hit the high note and I got goosebumps.
My girlfriend pushed me to apply and I got the job!
We got kicked out of the cinema for laughing.
He never hurt a fly.
My phone keeps dying in the cold.
I'm afraid of losing my hair.
I was so hurt when she did not invite me.
It kills me that I can't be there for her birthday.
My grandma fought until the end, she was so brave.
The wasp stung me and my arm is swollen.
We lost the baby in the spring and I still cry.
I ended things with Paul, it was time.
The doctor said that my father has a year to live.
I attacked the pile of dishes.
That chilli burned my mouth!
Our kids play cops and robbers and shoot each other with bananas.
My cat scratches me whenever I pick him up.
I can't go on the trip because of my exam.
Nobody came to my party.
My sister and I beat our parents at cards.
I would love to disappear into the mountains for a week.
The end of the book made me sob.
I cut the cake and everyone sang.
My knees hurt after the hike.
They are cutting my hours at work.
I want to end the year with a bang.
I was attacked by mosquitoes all night.
He shot the winning goal.
I dropped my phone off the balcony.
I am scared of the dentist.
This new game is insanely hard, I die at the first boss every time.
My roommate drank my milk and I want to scream.
I'm worried about my daughter, she drives too fast.
The bus left without me and I had to walk.
My husband snores so loudly that I sleep on the couch.
I feel like nobody listens to me at work.
She choked up when she saw the ring.
I was touched by the card that my pupils gave me.
I almost drowned in work this week.
The whole room burst out laughing.
I kicked the habit last year.
My brother pushed me into the pool, it was hilarious.
The comedian had us dying with laughter.
The lights went dead and everybody screamed.
I've been feeling down since the move.
My daughter threw up in the car.
I was punched in the gut by that ending, what a book.
I took two aspirin and the headache went away.
My grandfather was shot in the war and never talked about it.
My flight was cancelled and I slept at the airport.
We hang out by the bridge every Friday.
I cut my hair myself and it looks awful.
I can't stop thinking about the cake.
My boss stabbed me in the back by giving Tom my project.
He broke my heart.
She broke her leg skiing.
I feel guilty that I forgot her birthday.
My ex called again, I just want to move on.
The kids are driving me up the wall.
I bit my tongue and said nothing.
He's a lady killer, that uncle of mine.
I was alone for Christmas and it was hard.
I love watching crime shows before bed.
That test was brutal, it destroyed me.
My son wants to be a policeman and catch robbers.
I will never wake up early again.
What is the best way to end a speech?
I want to jump into the river, it is so hot.
I stood on the balcony and watched the fireworks.
I have no reason to complain.
My team needs to stop hurting itself with silly fouls.
I'm scared of flying.
A burglar stole my grandmother's ring while we were away.
I miss my mom so much since she passed.
My dog ate a whole box of chocolates and we rushed to the vet.
The car broke down on the highway.
I am worried that my friend is mad at me.
I fought with my sister and now we do not talk.
My cat hit the vase and it smashed.
This summer I want to learn how to dive.
The wedding is over and I feel empty.
Somebody keyed my car.
My nan died peacefully in her sleep.
I'm so embarrassed I could sink into the ground.
We beat the record by two seconds.
My colleague quit and now I have to do his work too.
Our flight hit a storm but the pilot was great.
He died in the first chapter, can you believe it?
It breaks my heart to see her like that.
I burst into tears when the plane landed.
I have been crying a lot since my divorce.
My shoulder is killing me after the gym.
I'd kill for a pizza right now.
Nobody remembered my birthday and it hurt.
I feel worthless when they leave me out.
I was scared to tell my parents about my grades.
There was a shooting star last night!
I'm going to cut back on sugar.
They cut the power for three hours.
My kid is afraid of thunder.
The teacher picks on me all the time.
I lost the will to clean this house.
A guy cut me off in traffic and I was furious.
I ran over a nail and got a flat tyre.
It was a shot in the dark, but they hired me!
The gym instructor nearly finished me off today.
I can't live with this wallpaper.
My son pushed the little girl on the swing.
We drowned our sorrows in ice cream.
I jumped for joy.
The end of the semester can't come soon enough.
I regret not saying goodbye before she moved.
My hands were shaking before the exam.
My father drinks and it makes me sad.
I got lost in a strange city and was frightened.
I want to be gone before the rush hour.
My phone won't wake up.
I hit the brakes just in time.
The dentist took out two of my teeth and I bled a bit.
I threw a party and nobody came.
My neighbour's dog bit the postman.
We tied a rope around the tree to make a swing.
I bought a rope for climbing.
I can't find a reason to stay in this job.
My brother cut me a slice of cake.
I'm done with this book.
My mother hit the jackpot.
He threw me a surprise party.
She followed me on Instagram.
My boyfriend pushed the car while I steered.
I have dark circles under my eyes.
The knife was so blunt that I squashed the tomato.
My boss burned the toast in the office kitchen.
I hope my train is not late again.
Dad beat the eggs and I melted the butter.
I get butterflies when he walks in.
The music was so loud that it hurt my ears.
I would give my right arm for a ticket.
My aunt's funeral is on Friday.
Our hamster escaped and we found it behind the oven.
My girlfriend said no and I felt so stupid.
I slept through the storm.
The kids jumped on the bed until it broke.
He choked on an olive, but he is okay.
The police came because of the noise.
My uncle was a hostage negotiator.
He dropped the mic and left.
I pulled a muscle in my leg.
My car won't start and I am stuck here.
I cried when the dog in the film got hurt.
She drives me nuts.
I want to kill this rumour before it spreads.
We crashed at a friend's place after the party.
I was beaten to the punch.
My knee locks up when it rains.
The kids were fighting over the last slice of pizza.
I burned the dinner and we ordered sushi.
Death by chocolate is my favourite dessert.
My son is into sharks and knives and dinosaurs.
The plan fell through at the end.
He took my breath away.
I dread going home to the empty flat.
My boss threatened to cancel the party.
He's a pain in the neck.
I got slapped in the face by a wet branch.
My brother tackled me during the match and I bruised a rib.
I feel so lost since the kids moved out.
I don't want to go to the dentist.
I have to take two pills every morning for my thyroid.
We broke up last night and I am numb.
My roommate ate all my cheese again, I'm livid.
I can't wait to be done with this course.
The crowd was so thick I could hardly breathe.
I ran away from home when I was six, as far as the corner.
We shot hoops until dark.
I'd rather die than eat liver.
My sister stole my boyfriend and I hate her.
I was left alone in the dark elevator.
My father hit his head on the beam.
Somebody hit the fence with a truck.
My daughter cut her own fringe.
The horror film scared me to death.
He stabbed the steak with his fork.
I wish I were on a beach.
I hope my flight doesn't get cancelled.
Hello, how are you?
I killed it at the gym today
This homework is killing me
I'm dying to see that movie
My phone died
The battery is dead
My grandmother died last year
My dog died and I'm sad
I could kill for a pizza
I cut my finger while cooking
I was hit by a car last year and broke my leg
I'm dead tired
He is drop dead gorgeous
I laughed so hard I almost died
My brother shot a goal
I took a shot of vodka
I shot a photo of the bridge
We watched a murder mystery
I love true crime podcasts
The police officer stopped me for speeding
I have to attack this problem
My wife is having a baby
I punched the time card
It knocked me dead
The deadline is killing me
I have a stabbing pain in my back
My stomach hurts
My back hurts me
I hurt my knee running
I fell and hurt myself
I burned myself on the stove
My sister hit me up for money
He beat me at chess
My team beat theirs
They hit the jackpot
I missed the bus
I went hunting with my uncle and shot a deer
I bought a gun safe
Guns N' Roses is my favourite band
I'm scared of heights
I'm scared of dying in a plane crash
I'm going to kill it tomorrow
I want to die laughing
I jumped off the diving board
I stood on the bridge and took photos
I live in a house near the railway tracks
I feel like jumping for joy
I want to jump into bed
My boss is a pain
My kids are driving me crazy
He broke my heart
She broke up with me
I lost my keys
I'm so lonely
I feel sad
I failed my exam
I was attacked by a dog once
The bully at school took my lunch
My boss threatened to fire me
I have to take my pills with water
I take all my vitamins
The doctor gave me two tablets
He stole my heart
My son was hitting the ball
I play violent video games
What time is it?
I'm hanging out with friends
I'm hanging up the laundry
Can you hear voices from the street?
I like the Killers
My plants died
The company went under
The tree branch hit me
Overdosed on coffee
I would die for chocolate
It's to die for
I saw a dead bird
My parents got divorced
We are hiding in the garden playing hide and seek
He has a knife collection
My chest of drawers broke
The rope swing broke
I bought a rope for climbing
I want to disappear to an island
I want to finish it today
I'm done with school
I was so embarrassed I wanted to die
I want to sleep
I can't go on holiday this year
I can't do this homework
I can't take it with me
It was a suicide mission in the game
I'm a nurse and helped a suicidal patient
The cancer is killing my father
Our little secret recipe
I want to end it with my boyfriend
How do people die of old age?
He is outside my window cleaning it
I threw a stone in the water
The man next door locks his door
I am a shooting guard
Photo shoot tomorrow
My mother is unconscious of her habit
Let's grab a bite
My sister grabbed me by the arm and we danced
I kissed him
He pushed me to succeed
My father hit the roof when he heard
My friend hit me with a pillow
My dad hits golf balls
She had a stroke of luck
I'm having a stroke of genius
My neighbor plays loud music
Don't kill my vibe
It hurts when I laugh
I made a killing on stocks
I am drowning in work
I'm starving
The cake was to die for
We lost the final and I wanted to cry
""".strip().splitlines()

HELD_OUT_SPEAK = """
I'm going to take my life tonight
My life isn't worth anything, I want it to end
I have a knife and I want to cut my throat
I can't stop hurting myself
My dad beat me with a belt until I bled
I want to be dead
someone tried to rape me on the way home
my partner tried to choke me
I don't see a reason to be alive
i will jump from the tenth floor
He said that he is going to shoot me
I'm a victim of domestic violence
Every day I think about suicide methods
she poured boiling water on me because I talked back
My mother has tried to kill herself twice
I burnt myself with a cigarette to feel something
There's a man following me, I am hiding in a shop
I do not want to wake up tomorrow morning
They put a knife to my throat and took my bag
I've decided to die on my birthday
my boyfriend won't let me go home, he took my keys
life has no meaning and I am ready to leave it
I swallowed drain cleaner
I'd be happier dead
my foster father comes into the bathroom when I shower
I have thoughts of jumping in front of the train
he burned my hand on the stove as a punishment
no one would notice if I disappeared for good
I think my friend is going to hurt himself
They are torturing me at school, yesterday they tied me to a tree
""".strip().splitlines()

HELD_OUT_HINTS = """
I've had enough, this is where I get off
My kids will be better cared for by my sister
You can have my record collection, I won't need it
I only have to be strong until the dog dies
the nights are getting louder and the window is always open
He is nice again today, he brought flowers and ice
I know which floors of this building have no lock on the roof door
It is strange to be so calm after deciding
we don't talk about what happens in the boat house
I walked into the sea up to my chin and then I turned back
""".strip().splitlines()

HELD_OUT_SILENT = """
My sister is getting married and I feel left behind.
I bombed my driving test.
We roasted marshmallows and burned our tongues.
The cat brought in a dead mouse.
I nailed the presentation.
Grandma's funeral was beautiful and everyone sang.
My husband works too much and I never see him.
I was sick all weekend.
The kids beat me at Monopoly again.
I got hit by a snowball.
He swept me off my feet.
A drunk man fell asleep on my shoulder on the bus.
I fell off my bike and scraped my elbow.
I'm so sick of this weather.
I want to disappear under my blanket with a book.
My best friend lied to me and I feel betrayed.
I was shaking with rage when he took my parking space.
They shut down the library in our town.
My boyfriend is allergic to my cat.
I forgot my lines on stage and wanted to vanish.
My neighbour shot up like a beanpole, he is fourteen now.
I feel stuck in my job and see no way forward.
We said goodbye at the station and I cried the whole way home.
My grandma has a pill box with all the days on it.
The movie ends with a huge explosion.
I'm fighting with my landlord about the heating.
I would love to strangle whoever invented this printer.
My daughter broke up with her first boyfriend.
I hit a pothole and got a flat.
The surgeon cut out the mole and all is well.
I miss the sound of his voice since he died.
My dog was hit by a car but he made it.
Nobody laughed at my joke.
I'm nervous about meeting her parents.
Our house was robbed while we were on holiday.
I could sleep for a hundred years.
My brother punched the air when they scored.
I can't breathe in this dress.
This song is stuck in my head.
I lost my temper with the kids and feel bad.
""".strip().splitlines()


def main() -> None:
    """Print how many messages of each kind are recognised, and those with a wrong result."""
    from keras_gca.safety.crisis import speaks_of_crisis

    for name in ("SPEAK", "HELD_OUT_SPEAK", "HELD_OUT_HINTS", "SILENT", "HELD_OUT_SILENT"):
        messages = globals()[name]
        found = [message for message in messages if speaks_of_crisis(message)]
        print(f"{name}: {len(found)} of {len(messages)}")
        for message in found if "SILENT" in name else set(messages) - set(found):
            print(f"    {message}")


if __name__ == "__main__":
    main()
